/* What another process has used: its processor time and its memory. */
#include "bench.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

double bench_wall_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* The kernel's clock of the process: all threads, those that ended too, in
 * nanoseconds where /proc/PID/stat counts in hundredths of a second. */
static bool cpu_of(int pid, double *us)
{
	struct timespec used;
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0 ||
	    clock_gettime(clock, &used) != 0)
		return false;
	*us = (double)used.tv_sec * 1e6 + (double)used.tv_nsec / 1e3;
	return true;
}

static bool rss_of(int pid, double *kb)
{
	char path[64];
	long pages, resident;
	FILE *file;
	int fields;

	snprintf(path, sizeof path, "/proc/%d/statm", pid);
	file = fopen(path, "r");
	if (file == NULL)
		return false;
	fields = fscanf(file, "%ld %ld", &pages, &resident);
	fclose(file);
	*kb = (double)resident * (double)sysconf(_SC_PAGESIZE) / 1024;
	return fields == 2;
}

bool bench_usage(int pid, struct bench_usage *out)
{
	*out = (struct bench_usage){ .wall_us = bench_wall_us() };
	return pid == 0 || (cpu_of(pid, &out->cpu_us) &&
			    rss_of(pid, &out->rss_kb));
}
