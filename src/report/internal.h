/*
 * Inside of the room report: text in cells, and reading of details. Not for
 * other rooms.
 */
#ifndef PARLEY_REPORT_INTERNAL_H
#define PARLEY_REPORT_INTERNAL_H

#include "parley/report.h"

/* ----- text (text.c), beside what report.h has ----- */

/* As pl_report_fit(), but ends at a space where there is one: where a line of
 * running text breaks. At least one character, so that it ends. */
size_t pl_report_break(const char *text, unsigned cells);

/* ----- details of a record ----- */

bool pl_report_is(const struct pl_report_record *record, const char *event);
/* "" where it is no text. */
const char *pl_report_text(const json_t *object, const char *key);
int64_t pl_report_number(const json_t *object, const char *key);
bool pl_report_true(const json_t *object, const char *key);

/* Room for every record of a report, for those that are selected; once for a
 * report. NULL: no memory. Goes with the report (read.c). */
struct pl_report_record *pl_report_room(struct pl_report *report);

#endif
