/* export_pcapng FILE.jsonl: the trace as pcapng on stdout, for the test. */
#include "parley/report.h"

#include <stdio.h>
#include <stdlib.h>

static char *read_file(const char *path, size_t *length)
{
	FILE *file = fopen(path, "rb");
	char *bytes;

	if (file == NULL)
		return NULL;
	fseek(file, 0, SEEK_END);
	*length = (size_t)ftell(file);
	rewind(file);
	bytes = malloc(*length + 1);
	*length = fread(bytes, 1, *length, file);
	fclose(file);
	return bytes;
}

int main(int argc, char **argv)
{
	struct pl_error error = { .text = "" };
	struct pl_report report;
	struct pl_buffer out;
	size_t length = 0;
	char *bytes = argc == 2 ? read_file(argv[1], &length) : NULL;
	bool cut, good;

	if (bytes == NULL || !pl_report_read(&report, bytes, length, argv[1],
					     &cut, &error)) {
		fprintf(stderr, "export_pcapng: %s\n", error.text);
		return 2;
	}
	pl_buffer_init(&out, 0);
	good = pl_report_pcapng(&out, &report) &&
	       fwrite(pl_buffer_bytes(&out), 1, out.length, stdout) ==
	       out.length && fflush(stdout) == 0;
	pl_buffer_finish(&out);
	pl_report_finish(&report);
	free(bytes);
	return good ? 0 : 1;
}
