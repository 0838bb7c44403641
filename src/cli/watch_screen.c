/*
 * The screen of `parley watch`: the list, and the ladder of one negotiation.
 *
 * Whatever ends the program, the terminal is put back: signals that ask for an
 * end are looked at between two keys, and those of a crash write what leaves
 * the screen themselves before they go on to their default.
 */
#include "cli.h"
#include "watch.h"

#include <ctype.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#include <ncurses.h>

#include "parley/report.h"

enum {
	KEY_WAIT_MS = 100,
	FILTER_SIZE = 64,
	KEY_ESCAPE = 27,
	LADDER_BYTES = 8 * 1024 * 1024,
};

/* Pairs of colours. */
enum { PLAIN, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN };

/* The ladder that is open. */
struct ladder {
	char *lines;           /* owned: the trace; NULL: none is open */
	char *text;            /* owned: drawn for `width` */
	const char **starts;   /* owned: of its lines, in text */
	int count, top, width;
	char id[64];
};

struct screen {
	struct watch *watch;           /* borrowed */
	struct ladder ladder;
	json_t *shown;                 /* owned: the rows the filter lets by */
	size_t selected, top;          /* in shown */
	bool streams, paused, follow, editing, dirty;
	char filter[FILTER_SIZE], typed[FILTER_SIZE];
	char note[512];                /* for the line at the bottom */
	struct timespec polled;
};

/* ----- the terminal, and giving it back ----- */

/* For the signals of a crash, which may call next to nothing. */
static struct {
	struct termios modes;
	char leave[128];
	volatile sig_atomic_t length;
} before;

static void on_crash(int number)
{
	ssize_t n = write(STDOUT_FILENO, before.leave, (size_t)before.length);

	(void)n;
	tcsetattr(STDOUT_FILENO, TCSANOW, &before.modes);
	signal(number, SIG_DFL);
	raise(number);
}

static void keep_leave(void)
{
	static char *const names[] = { (char *)"sgr0", (char *)"cnorm",
				       (char *)"rmcup", (char *)"rmkx" };
	size_t used = 0;

	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		const char *text = tigetstr(names[i]);

		if (text == NULL || text == (const char *)-1 ||
		    used + strlen(text) >= sizeof before.leave)
			continue;
		strcpy(before.leave + used, text);
		used += strlen(text);
	}
	before.length = (sig_atomic_t)used;
}

static void catch_crashes(void)
{
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL,
				       SIGABRT, SIGQUIT };
	struct sigaction action = { .sa_handler = on_crash,
				    .sa_flags = (int)SA_RESETHAND };

	for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
		sigaction(numbers[i], &action, NULL);
}

static void start_colours(void)
{
	static const short colours[] = {
		[RED] = COLOR_RED, [GREEN] = COLOR_GREEN,
		[YELLOW] = COLOR_YELLOW, [BLUE] = COLOR_BLUE,
		[MAGENTA] = COLOR_MAGENTA, [CYAN] = COLOR_CYAN,
	};
	const char *none = getenv("NO_COLOR");

	if ((none != NULL && none[0] != '\0') || !has_colors())
		return;
	start_color();
	use_default_colors();
	for (short i = RED; i <= CYAN; i++)
		init_pair(i, colours[i], -1);
}

static bool start(void)
{
	tcgetattr(STDOUT_FILENO, &before.modes);
	if (newterm(NULL, stdout, stdin) == NULL)
		return false;
	keep_leave();
	catch_crashes();
	start_colours();
	cbreak();
	noecho();
	nonl();
	curs_set(0);
	keypad(stdscr, TRUE);
	set_escdelay(50);
	timeout(KEY_WAIT_MS);
	return true;
}

static attr_t colour(int pair)
{
	return has_colors() ? (attr_t)COLOR_PAIR(pair) : A_NORMAL;
}

/* ----- text ----- */

/* Prints as much of the text as `width` columns hold, and blanks behind it;
 * what is cut ends in '~'. */
static void put(const char *text, int width)
{
	mbstate_t state = { 0 };
	wchar_t wide;
	int used = 0;

	while (*text != '\0' && used < width) {
		size_t n = mbrtowc(&wide, text, MB_CUR_MAX, &state);
		int columns = n >= (size_t)-2 ? 1 : wcwidth(wide);

		if (n >= (size_t)-2) {
			memset(&state, 0, sizeof state);
			n = 1;
		}
		if (columns < 0)
			columns = 1;
		if (used + columns > width ||
		    (used + columns == width && text[n] != '\0')) {
			addch('~');
			used++;
			break;
		}
		addnstr(text, (int)n);
		text += n;
		used += columns;
	}
	while (used++ < width)
		addch(' ');
}

static void bar(int y, const char *text)
{
	move(y, 0);
	attron(A_REVERSE);
	put(text, COLS);
	attroff(A_REVERSE);
}

/* ----- the list ----- */

static const json_t *rows_of(const struct screen *screen)
{
	return screen->streams ? screen->watch->streams
			       : screen->watch->negotiations;
}

static bool passes(const struct screen *screen, const json_t *row)
{
	if (screen->filter[0] == '\0')
		return true;
	for (int i = 0; i < WATCH_COLUMNS; i++) {
		char cell[WATCH_CELL];

		if (strcasestr(watch_cell(row, screen->streams,
					  (enum watch_column)i, cell),
			       screen->filter) != NULL)
			return true;
	}
	return false;
}

static const char *selected_id(const struct screen *screen)
{
	return client_text(json_array_get(screen->shown, screen->selected),
			   "id");
}

/* Chooses the rows anew; the selection stays with its row. */
static void select_rows(struct screen *screen)
{
	char id[64];
	json_t *row;
	size_t i, count;

	snprintf(id, sizeof id, "%s", selected_id(screen));
	json_decref(screen->shown);
	screen->shown = json_array();
	json_array_foreach(rows_of(screen), i, row)
		if (passes(screen, row))
			json_array_append(screen->shown, row);
	count = json_array_size(screen->shown);
	if (screen->follow || screen->selected >= count)
		screen->selected = count > 0 ? count - 1 : 0;
	json_array_foreach(screen->shown, i, row)
		if (!screen->follow &&
		    strcmp(client_text(row, "id"), id) == 0)
			screen->selected = i;
	screen->dirty = true;
}

/* Time, direction, method, row and milliseconds have a width; the rest is
 * shared by the domains and the result. */
static void layout(int widths[WATCH_COLUMNS])
{
	int rest = COLS - (8 + 3 + 13 + 4 + 7) - 2 * (WATCH_COLUMNS - 1);

	if (rest < 24)
		rest = 24;
	widths[WATCH_TIME] = 8;
	widths[WATCH_DIR] = 3;
	widths[WATCH_METHOD] = 13;
	widths[WATCH_ROW] = 4;
	widths[WATCH_MS] = 7;
	widths[WATCH_LOCAL] = rest * 3 / 10;
	widths[WATCH_REMOTE] = rest * 3 / 10;
	widths[WATCH_RESULT] = rest - 2 * (rest * 3 / 10);
}

static void draw_cells(const struct screen *screen, const json_t *row)
{
	int widths[WATCH_COLUMNS], x = 0;

	layout(widths);
	for (int i = 0; i < WATCH_COLUMNS && x < COLS; i++) {
		enum watch_column column = (enum watch_column)i;
		int left = COLS - x;
		char cell[WATCH_CELL];

		put(row != NULL ? watch_cell(row, screen->streams, column, cell)
				: watch_heading(screen->streams, column),
		    widths[i] < left ? widths[i] : left);
		x += widths[i];
		for (int blank = 0; blank < 2 && x < COLS; blank++, x++)
			addch(' ');
	}
	while (x++ < COLS)
		addch(' ');
}

static void draw_row(const struct screen *screen, int y, size_t index)
{
	const json_t *row = json_array_get(screen->shown, index);
	attr_t look = A_NORMAL;

	if (!screen->streams)
		look = colour(watch_failed(row) ? RED : GREEN);
	if (index == screen->selected)
		look |= A_REVERSE;
	move(y, 0);
	attron(look);
	draw_cells(screen, row);
	attroff(look);
}

static void draw_title(const struct screen *screen)
{
	char title[200];

	snprintf(title, sizeof title, " parley watch: %s  %zu of %zu%s%s%s%s",
		 screen->streams ? "streams" : "negotiations",
		 json_array_size(screen->shown),
		 json_array_size(rows_of(screen)),
		 screen->filter[0] ? "  filter: " : "", screen->filter,
		 screen->paused ? "  PAUSED" : "",
		 screen->watch->fault[0] ? "  NO ANSWER" : "");
	bar(0, title);
	move(1, 0);
	attron(A_BOLD);
	draw_cells(screen, NULL);
	attroff(A_BOLD);
}

static void draw_foot(const struct screen *screen, const char *keys)
{
	char prompt[FILTER_SIZE + 8];

	if (screen->editing) {
		snprintf(prompt, sizeof prompt, "/%s_", screen->typed);
		bar(LINES - 1, prompt);
	} else if (screen->note[0] != '\0') {
		bar(LINES - 1, screen->note);
	} else if (screen->watch->fault[0] != '\0') {
		bar(LINES - 1, screen->watch->fault);
	} else {
		bar(LINES - 1, keys);
	}
}

static void draw_list(struct screen *screen)
{
	size_t count = json_array_size(screen->shown);
	size_t height = LINES > 3 ? (size_t)LINES - 3 : 1;

	if (screen->selected < screen->top)
		screen->top = screen->selected;
	if (screen->selected >= screen->top + height)
		screen->top = screen->selected - height + 1;
	if (screen->top + height > count)
		screen->top = count > height ? count - height : 0;
	draw_title(screen);
	for (size_t i = 0; i < height && screen->top + i < count; i++)
		draw_row(screen, (int)i + 2, screen->top + i);
	if (count == 0)
		mvaddnstr(2, 1, "nothing yet", COLS - 1);
	draw_foot(screen, " Enter ladder  tab streams  / filter  p pause  "
			  "q quit");
}

/* ----- the ladder ----- */

static void close_ladder(struct ladder *ladder)
{
	free(ladder->lines);
	free(ladder->text);
	free(ladder->starts);
	memset(ladder, 0, sizeof *ladder);
}

static void split_lines(struct ladder *ladder)
{
	int lines = 0;
	char *at = ladder->text;

	for (const char *s = at; *s != '\0'; s++)
		lines += *s == '\n';
	free(ladder->starts);
	ladder->starts = pl_calloc((size_t)lines + 1, sizeof *ladder->starts);
	ladder->count = 0;
	while (*at != '\0') {
		char *end = strchr(at, '\n');

		ladder->starts[ladder->count++] = at;
		if (end == NULL)
			break;
		*end = '\0';
		at = end + 1;
	}
}

static bool draw_trace(struct pl_buffer *out, const char *lines,
		       unsigned width, struct pl_error *error)
{
	struct pl_report_look look = {
		.width = width,
		.unicode = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
		.colour = has_colors(),
		.verbose = 1,
	};
	struct pl_report report;
	bool cut, drawn = true;

	if (!pl_report_read(&report, lines, strlen(lines), "parleyd", &cut,
			    error))
		return false;
	for (size_t i = 0; i < report.count && drawn; i++)
		drawn = pl_report_ladder(out, &report.traces[i], &look);
	pl_report_finish(&report);
	return drawn || pl_error_set(error, "the ladder is too long");
}

/* Draws the trace for the width that the terminal has now. */
static bool fit_ladder(struct ladder *ladder, struct pl_error *error)
{
	unsigned width = COLS < 80 ? 80 : COLS > 132 ? 132 : (unsigned)COLS;
	struct pl_buffer out;
	bool drawn;

	pl_buffer_init(&out, LADDER_BYTES);
	drawn = draw_trace(&out, ladder->lines, width, error);
	if (drawn) {
		free(ladder->text);
		ladder->text = strndup((const char *)pl_buffer_bytes(&out),
				       out.length);
		drawn = ladder->text != NULL;
	}
	if (drawn) {
		split_lines(ladder);
		ladder->width = COLS;
	}
	pl_buffer_finish(&out);
	return drawn;
}

static void open_ladder(struct screen *screen)
{
	struct ladder *ladder = &screen->ladder;
	struct pl_error error = { .text = "" };

	if (json_array_size(screen->shown) == 0)
		return;
	if (screen->streams) {
		snprintf(screen->note, sizeof screen->note,
			 " a stream has no ladder of its own: its negotiation "
			 "has (tab)");
		return;
	}
	snprintf(ladder->id, sizeof ladder->id, "%s", selected_id(screen));
	ladder->lines = watch_lines(screen->watch, ladder->id, &error);
	if (ladder->lines == NULL || !fit_ladder(ladder, &error)) {
		screen->note[0] = ' ';
		pl_text_printable(screen->note + 1, sizeof screen->note - 1,
				  error.text, strlen(error.text));
		close_ladder(ladder);
	}
}

/* What a sequence "\x1b[1;31m" of our own drawing means here. */
static attr_t look_of(const char *sequence, const char *end, attr_t look)
{
	while (sequence < end) {
		int value = atoi(sequence);

		if (value == 0)
			look = A_NORMAL;
		else if (value == 1)
			look |= A_BOLD;
		else if (value == 2)
			look |= A_DIM;
		else if (value >= 31 && value <= 36)
			look = (look & ~(attr_t)A_COLOR) | colour(value - 30);
		while (sequence < end && *sequence != ';')
			sequence++;
		sequence++;
	}
	return look;
}

static void draw_line(int y, const char *line)
{
	attr_t look = A_NORMAL;

	move(y, 0);
	while (*line != '\0' && getcury(stdscr) == y) {
		size_t plain = strcspn(line, "\x1b");
		const char *end;

		attrset(look);
		addnstr(line, (int)plain);
		line += plain;
		if (*line == '\0')
			break;
		end = strchr(line, 'm');
		if (end == NULL)
			break;
		look = look_of(line + 2, end, look);
		line = end + 1;
	}
	attrset(A_NORMAL);
}

static void draw_ladder(struct screen *screen)
{
	struct ladder *ladder = &screen->ladder;
	int height = LINES > 2 ? LINES - 2 : 1;
	char title[120];

	if (ladder->width != COLS)
		fit_ladder(ladder, NULL);
	if (ladder->top > ladder->count - height)
		ladder->top = ladder->count - height;
	if (ladder->top < 0)
		ladder->top = 0;
	for (int i = 0; i < height && ladder->top + i < ladder->count; i++)
		draw_line(i + 1, ladder->starts[ladder->top + i]);
	snprintf(title, sizeof title, " trace %s  line %d of %d", ladder->id,
		 ladder->top + 1, ladder->count);
	bar(0, title);
	draw_foot(screen, " up, down scroll  q back to the list");
}

static void draw(struct screen *screen)
{
	erase();
	if (screen->ladder.lines != NULL)
		draw_ladder(screen);
	else
		draw_list(screen);
	refresh();
	screen->dirty = false;
}

/* ----- keys ----- */

/* By how many lines a key moves; false: by none. */
static bool moves(int key, long page, long *by)
{
	switch (key) {
	case KEY_UP: case 'k': *by = -1; return true;
	case KEY_DOWN: case 'j': *by = 1; return true;
	case KEY_PPAGE: *by = -page; return true;
	case KEY_NPAGE: case ' ': *by = page; return true;
	case KEY_HOME: case 'g': *by = -1000000; return true;
	case KEY_END: case 'G': *by = 1000000; return true;
	default: return false;
	}
}

static void move_selection(struct screen *screen, long by)
{
	long count = (long)json_array_size(screen->shown);
	long at = (long)screen->selected + by;

	if (at >= count)
		at = count - 1;
	if (at < 0)
		at = 0;
	screen->selected = (size_t)at;
	screen->follow = at + 1 >= count;
}

static void ladder_key(struct screen *screen, int key)
{
	struct ladder *ladder = &screen->ladder;
	long by;

	if (key == 'q' || key == KEY_ESCAPE || key == KEY_LEFT)
		close_ladder(ladder);
	else if (moves(key, LINES - 3, &by))
		ladder->top += (int)by; /* drawing keeps it in bounds */
	if (ladder->top < 0)
		ladder->top = 0;
}

static void edit_key(struct screen *screen, int key)
{
	size_t length = strlen(screen->typed);

	if (key == '\r' || key == '\n' || key == KEY_ENTER) {
		strcpy(screen->filter, screen->typed);
		screen->editing = false;
		select_rows(screen);
	} else if (key == KEY_ESCAPE) {
		screen->editing = false;
	} else if (key == KEY_BACKSPACE || key == 127 || key == 8) {
		if (length > 0)
			screen->typed[length - 1] = '\0';
	} else if (key >= 32 && key < 127 && length + 1 < FILTER_SIZE) {
		screen->typed[length] = (char)key;
		screen->typed[length + 1] = '\0';
	}
}

static void switch_lists(struct screen *screen)
{
	screen->streams = !screen->streams;
	screen->selected = screen->top = 0;
	screen->follow = !screen->streams;
	if (screen->streams)
		watch_poll_streams(screen->watch);
	select_rows(screen);
}

/* False: leave. */
static bool list_key(struct screen *screen, int key)
{
	long by;

	if (moves(key, LINES - 4, &by)) {
		move_selection(screen, by);
		return true;
	}
	switch (key) {
	case 'q':
		return false;
	case '\r': case '\n': case KEY_ENTER: case KEY_RIGHT:
		open_ladder(screen);
		break;
	case '\t':
		switch_lists(screen);
		break;
	case '/':
		screen->editing = true;
		strcpy(screen->typed, screen->filter);
		break;
	case KEY_ESCAPE:
		screen->filter[0] = '\0';
		select_rows(screen);
		break;
	case 'p':
		screen->paused = !screen->paused;
		break;
	default:
		break;
	}
	return true;
}

static bool take_key(struct screen *screen, int key)
{
	screen->dirty = true;
	if (key == KEY_RESIZE)
		return true;
	screen->note[0] = '\0';
	if (screen->editing)
		edit_key(screen, key);
	else if (screen->ladder.lines != NULL)
		ladder_key(screen, key);
	else
		return list_key(screen, key);
	return true;
}

/* ----- the loop ----- */

static bool poll_due(struct screen *screen)
{
	struct timespec now;
	long ms;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ms = (long)(now.tv_sec - screen->polled.tv_sec) * 1000 +
	     (now.tv_nsec - screen->polled.tv_nsec) / 1000000;
	if (ms < WATCH_POLL_MS)
		return false;
	screen->polled = now;
	return !screen->paused;
}

/* A daemon that was started anew counts from the beginning: what the old one
 * told stays on the screen. */
static void poll_daemon(struct screen *screen)
{
	struct watch *watch = screen->watch;
	bool lost = watch->fault[0] != '\0';

	if (screen->streams)
		watch_poll_streams(watch);
	else
		watch_poll(watch);
	if (watch->fault[0] != '\0' && !lost)
		watch->since = 0;
	select_rows(screen);
}

int watch_screen(struct watch *watch)
{
	struct screen screen = { .watch = watch, .follow = true };
	int key;

	if (!start()) {
		fputs("parley watch: this terminal can do nothing; --plain "
		      "gives lines\n", stderr);
		return CLI_INCOMPLETE;
	}
	screen.shown = json_array();
	select_rows(&screen);
	while (!watch_over) {
		if (poll_due(&screen))
			poll_daemon(&screen);
		if (screen.dirty)
			draw(&screen);
		key = getch();
		if (key != ERR && !take_key(&screen, key))
			break;
	}
	endwin();
	close_ladder(&screen.ladder);
	json_decref(screen.shown);
	return CLI_OK;
}
