/*
 * The files of traces and their directory.
 *
 * Lines wait in memory until there are some, and no file stays open between two
 * writes: a daemon with thousands of traces has no descriptors to spare for
 * them. A file is made with O_EXCL and written to at its end; when it is gone
 * (the directory was too full, or somebody took it) it is not made again.
 *
 * Nothing that goes wrong here harms the engine: lines are lost, and counted.
 */
#include "internal.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
	NAME_PART = 60,          /* of a domain in a file's name */
	FILES_MOST = 1000000,    /* looked at in a directory */
};

/* ----- names ----- */

/* Letters, digits, dot and hyphen stay; all else becomes an underscore. */
static void safe_name(char out[NAME_PART + 1], const char *name)
{
	size_t i;

	for (i = 0; name[i] != '\0' && i < NAME_PART; i++) {
		unsigned char c = (unsigned char)name[i];

		out[i] = c < 0x80 && (isalnum(c) || c == '.' || c == '-')
			 ? (char)c : '_';
	}
	out[i] = '\0';
}

static char *make_name(const struct timeval *when, const char *local,
		       const char *remote, const char *id)
{
	char stamp[24], ours[NAME_PART + 1], theirs[NAME_PART + 1], *name;
	struct tm parts;

	gmtime_r(&when->tv_sec, &parts);
	if (strftime(stamp, sizeof stamp, "%Y%m%dT%H%M%S", &parts) == 0)
		strcpy(stamp, "19700101T000000");
	safe_name(ours, local);
	safe_name(theirs, remote);
	if (asprintf(&name, "%s.%03dZ-%s-%s-%s.jsonl", stamp,
		     (int)(when->tv_usec / 1000), ours, theirs, id) < 0)
		return NULL;
	return name;
}

static bool has_form(const char *text, const char *form)
{
	for (; *form != '\0'; text++, form++) {
		if (*form == '9' ? !isdigit((unsigned char)*text)
				 : *text != *form)
			return false;
	}
	return true;
}

/* Did this room make a file of that name? Others are never touched. */
static bool is_ours(const char *name)
{
	const char *dot = strrchr(name, '.');
	size_t length = strlen(name), id = 12;

	if (!has_form(name, "99999999T999999.999Z-") || dot == NULL ||
	    (strcmp(dot, ".jsonl") != 0 && strcmp(dot, ".pcapng") != 0) ||
	    (size_t)(dot - name) < 21 + 4 + id || length > 250)
		return false;
	return dot[-13] == '-' &&
	       strspn(dot - id, "0123456789abcdef") >= id;
}

/* ----- the directory ----- */

struct found {
	char *name;
	size_t bytes;
};

struct listing {
	struct found *files;
	size_t count, capacity, bytes;
};

static bool list_add(struct listing *listing, const char *name, size_t bytes)
{
	if (listing->count == listing->capacity) {
		size_t capacity = listing->capacity * 2 + 64;
		struct found *more = realloc(listing->files,
					     capacity * sizeof *more);

		if (more == NULL)
			return false;
		listing->files = more;
		listing->capacity = capacity;
	}
	listing->files[listing->count].name = strdup(name);
	listing->files[listing->count].bytes = bytes;
	if (listing->files[listing->count].name == NULL)
		return false;
	listing->count++;
	listing->bytes += bytes;
	return true;
}

static int by_name(const void *left, const void *right)
{
	const struct found *a = left, *b = right;

	return strcmp(a->name, b->name);
}

/* Its trace files, the oldest first: names begin with the time. */
static void list_files(const struct folder *folder, struct listing *listing)
{
	int fd = openat(folder->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *entry;
	struct stat status;

	if (directory == NULL) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while (listing->count < FILES_MOST &&
	       (entry = readdir(directory)) != NULL) {
		if (!is_ours(entry->d_name) ||
		    fstatat(folder->fd, entry->d_name, &status,
			    AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(status.st_mode))
			continue;
		if (!list_add(listing, entry->d_name, (size_t)status.st_size))
			break;
	}
	closedir(directory);
	if (listing->count > 0)
		qsort(listing->files, listing->count, sizeof *listing->files,
		      by_name);
}

static void list_free(struct listing *listing)
{
	for (size_t i = 0; i < listing->count; i++)
		free(listing->files[i].name);
	free(listing->files);
}

static size_t held(const struct folder *folder)
{
	struct listing listing = { 0 };
	size_t bytes;

	list_files(folder, &listing);
	bytes = listing.bytes;
	list_free(&listing);
	return bytes;
}

/* Makes room for so many bytes. Looks into the directory only when it seems
 * full, and then takes more away than is needed, so that it seldom looks. */
static void make_room(struct folder *folder, size_t bytes)
{
	struct listing listing = { 0 };
	size_t goal;

	if (folder->bytes + bytes <= folder->limit)
		return;
	list_files(folder, &listing);
	goal = folder->limit - folder->limit / 8;
	goal = goal > bytes ? goal - bytes : 0;
	if (listing.bytes + bytes <= folder->limit)
		goal = listing.bytes;
	for (size_t i = 0; i < listing.count && listing.bytes > goal; i++) {
		if (unlinkat(folder->fd, listing.files[i].name, 0) == 0)
			listing.bytes -= listing.files[i].bytes;
	}
	folder->bytes = listing.bytes;
	list_free(&listing);
}

struct folder *folder_open(const char *path, size_t limit,
			   struct pl_error *error)
{
	struct folder *folder;
	int fd;

	if (mkdir(path, 0700) != 0 && errno != EEXIST) {
		pl_error_set(error, "the trace directory %s cannot be made: %s",
			     path, strerror(errno));
		return NULL;
	}
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) != 0) {
		pl_error_set(error, "the trace directory %s cannot be used: %s",
			     path, strerror(errno));
		if (fd >= 0)
			close(fd);
		return NULL;
	}
	folder = pl_calloc(1, sizeof *folder);
	folder->references = 1;
	folder->path = pl_strdup(path);
	folder->fd = fd;
	folder->limit = limit;
	folder->bytes = held(folder);
	return folder;
}

bool folder_is_still(const struct folder *folder, const char *path)
{
	struct stat ours, now;

	return folder != NULL && path != NULL &&
	       strcmp(folder->path, path) == 0 && stat(path, &now) == 0 &&
	       fstat(folder->fd, &ours) == 0 && ours.st_dev == now.st_dev &&
	       ours.st_ino == now.st_ino &&
	       faccessat(folder->fd, ".", W_OK | X_OK, AT_EACCESS) == 0;
}

struct folder *folder_ref(struct folder *folder)
{
	folder->references++;
	return folder;
}

void folder_unref(struct folder *folder)
{
	if (folder == NULL || --folder->references > 0)
		return;
	close(folder->fd);
	free(folder->path);
	free(folder);
}

/* All of it, or nothing: what was written of a part is cut off again. */
static bool write_all(int fd, const void *bytes, size_t length, size_t before)
{
	const char *at = bytes;
	size_t rest = length;

	while (rest > 0) {
		ssize_t n = write(fd, at, rest);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		at += n;
		rest -= (size_t)n;
	}
	if (rest > 0) {
		int error = errno;

		/* the file may then end in half a line, which readers know */
		if (ftruncate(fd, (off_t)before) == 0)
			errno = error;
		return false;
	}
	return true;
}

static bool put(struct folder *folder, const char *name, bool make,
		const void *bytes, size_t length, size_t before)
{
	int fd;
	bool good;

	make_room(folder, length);
	fd = openat(folder->fd, name, O_WRONLY | O_APPEND | O_NOFOLLOW |
		    O_CLOEXEC | O_NOCTTY | (make ? O_CREAT | O_EXCL : 0),
		    0600);
	if (fd < 0) {
		folder->error = errno;
		return false;
	}
	good = write_all(fd, bytes, length, before);
	if (!good)
		folder->error = errno;
	close(fd);
	if (!good && make)
		unlinkat(folder->fd, name, 0);
	if (good)
		folder->bytes += length;
	return good;
}

bool folder_write(struct folder *folder, const char *name, const void *bytes,
		  size_t length)
{
	return put(folder, name, true, bytes, length, 0);
}

/* ----- one file ----- */

void file_begin(struct file *file, struct folder *folder, size_t limit,
		const struct timeval *when, const char *local,
		const char *remote, const char *id)
{
	file->name = make_name(when, local, remote, id);
	file->folder = folder_ref(folder);
	file->limit = limit;
	pl_buffer_init(&file->waiting, 0);
}

bool file_takes(struct file *file, size_t length, bool last)
{
	size_t used = file->bytes + file->waiting.length;

	if (file->name == NULL) {
		file->lost++;
		return false;
	}
	if (last)
		return true;
	if (!file->full && used + length + END_BYTES <= file->limit)
		return true;
	file->full = true;
	file->lost++;
	return false;
}

void file_line(struct file *file, const char *line, size_t length)
{
	if (pl_buffer_append(&file->waiting, line, length)) {
		file->waiting_lines++;
		return;
	}
	file->seq--;
	file->lost++;
	file->full = true;
}

unsigned file_flush(struct file *file)
{
	unsigned lines = file->waiting_lines;
	size_t length = file->waiting.length;
	bool good;

	if (length == 0 || file->name == NULL)
		return 0;
	good = put(file->folder, file->name, !file->made,
		   pl_buffer_bytes(&file->waiting), length, file->bytes);
	pl_buffer_consume(&file->waiting, length);
	pl_buffer_trim(&file->waiting);
	file->waiting_lines = 0;
	if (good) {
		file->made = true;
		file->bytes += length;
		return 0;
	}
	file->full = true;
	file->lost += lines;
	file->seq -= lines;
	if (!file->made) { /* a file without its beginning is worth nothing */
		free(file->name);
		file->name = NULL;
	}
	return lines;
}

void file_remove(struct file *file)
{
	if (file->made)
		unlinkat(file->folder->fd, file->name, 0);
	file->made = false;
}

void file_finish(struct file *file)
{
	folder_unref(file->folder);
	file->folder = NULL;
	free(file->name);
	file->name = NULL;
	pl_buffer_finish(&file->waiting);
}

char *file_path(const struct file *file)
{
	char *path;

	if (!file->made ||
	    asprintf(&path, "%s/%s", file->folder->path, file->name) < 0)
		return NULL;
	return path;
}
