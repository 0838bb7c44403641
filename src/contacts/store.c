/*
 * The file. Write-ahead logging without a sync at each commit: a batch then
 * costs a copy into the page cache, and what a loss of power can take is the
 * end of the log, never the file. The lock is held as long as the file is open,
 * so that a second daemon hears of the first one when it starts.
 *
 * Moving the log into the file does sync, which takes as long as the disk
 * likes. That alone is done in a thread, which has the connection to itself
 * until store_busy() has seen it end.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	APPLICATION = 0x70617263, /* "parc", in the file's header */
	VERSION = 1,              /* of the tables */
	LEAST_PAGE = 512,         /* that a database has */
	LOG_PAGES = 1000,         /* in the log, before they are moved */
};

struct store {
	sqlite3 *db;                /* owned, as all below */
	sqlite3_stmt *put, *drop;
	int pages;                  /* in the log */
	pthread_t mover;
	bool moving;                /* the thread is to be joined */
	atomic_bool moved;          /* it is at its end */
};

static const char tables[] =
	"CREATE TABLE contacts ("
	"local TEXT NOT NULL, remote TEXT NOT NULL, used INTEGER NOT NULL, "
	"PRIMARY KEY (local, remote)) WITHOUT ROWID;"
	"PRAGMA application_id = 1885434467; PRAGMA user_version = 1;";

/* In the library's words, and in ours where those say little. */
static bool fail(struct store *store, struct pl_error *error)
{
	int code = sqlite3_extended_errcode(store->db);

	switch (code & 0xff) {
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return pl_error_set(error, "it is in use by another process");
	case SQLITE_NOTADB:
		return pl_error_set(error, "it is no database, or damaged");
	case SQLITE_CORRUPT:
		return pl_error_set(error, "it is damaged (%s)",
				    sqlite3_errmsg(store->db));
	default:
		return pl_error_set(error, "%s (%d)",
				    sqlite3_errmsg(store->db), code);
	}
}

static bool run(struct store *store, const char *sql, struct pl_error *error)
{
	return sqlite3_exec(store->db, sql, NULL, NULL, NULL) == SQLITE_OK ||
	       fail(store, error);
}

/* The one value of a query: a number, or *text (of size) as well. */
static bool ask(struct store *store, const char *sql, int64_t *number,
		char *text, size_t size, struct pl_error *error)
{
	sqlite3_stmt *query = NULL;
	bool good = sqlite3_prepare_v2(store->db, sql, -1, &query, NULL) ==
			    SQLITE_OK &&
		    sqlite3_step(query) == SQLITE_ROW;

	if (!good) {
		fail(store, error);
	} else {
		const unsigned char *found = sqlite3_column_text(query, 0);

		*number = sqlite3_column_int64(query, 0);
		if (text != NULL)
			pl_text_printable(text, size,
					  found ? (const char *)found : "",
					  found ? strlen((const char *)found)
						: 0);
	}
	sqlite3_finalize(query);
	return good;
}

/* The library would make the file readable by others, and would open one that
 * cannot be written. */
static bool make_file(const char *path, struct pl_error *error)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	struct stat status;
	bool good;

	if (fd < 0)
		return pl_error_set(error, "%s", strerror(errno));
	good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode);
	if (good && status.st_size > 0 && status.st_size < LEAST_PAGE) {
		/* the library would begin it anew */
		close(fd);
		return pl_error_set(error, "it is damaged (cut short)");
	}
	if (good && (status.st_mode & 077) != 0 &&
	    status.st_uid == geteuid() && fchmod(fd, 0600) != 0)
		good = false;
	close(fd);
	return good || pl_error_set(error, "it is no ordinary file");
}

static bool check_version(struct store *store, struct pl_error *error)
{
	int64_t application, version, count;

	if (!ask(store, "PRAGMA application_id", &application, NULL, 0,
		 error) ||
	    !ask(store, "PRAGMA user_version", &version, NULL, 0, error) ||
	    !ask(store, "SELECT count(*) FROM sqlite_schema", &count, NULL, 0,
		 error))
		return false;
	if (count == 0 && application == 0 && version == 0)
		return run(store, "BEGIN IMMEDIATE", error) &&
		       run(store, tables, error) &&
		       run(store, "COMMIT", error);
	if (application != APPLICATION)
		return pl_error_set(error, "it is a database, but not of "
				    "parley");
	if (version != VERSION)
		return pl_error_set(error, "its tables have version %lld, and "
				    "this parley knows version %d",
				    (long long)version, VERSION);
	return true;
}

static bool check_whole(struct store *store, struct pl_error *error)
{
	char answer[200];
	int64_t number;

	if (!ask(store, "PRAGMA integrity_check(1)", &number, answer,
		 sizeof answer, error))
		return false;
	return strcmp(answer, "ok") == 0 ||
	       pl_error_set(error, "it is damaged (%s)", answer);
}

static bool prepare(struct store *store, struct pl_error *error)
{
	static const char put[] =
		"INSERT INTO contacts (local, remote, used) VALUES (?, ?, ?) "
		"ON CONFLICT DO UPDATE SET used = excluded.used";
	static const char drop[] =
		"DELETE FROM contacts WHERE local = ? AND remote = ?";

	return (sqlite3_prepare_v2(store->db, put, -1, &store->put, NULL) ==
			SQLITE_OK &&
		sqlite3_prepare_v2(store->db, drop, -1, &store->drop, NULL) ==
			SQLITE_OK) ||
	       fail(store, error);
}

/* In place of the library's own, which would move the log at once. */
static int on_commit(void *owner, sqlite3 *db, const char *name, int pages)
{
	struct store *store = owner;

	(void)db;
	(void)name;
	store->pages = pages;
	return SQLITE_OK;
}

static bool open_file(struct store *store, const char *path,
		      struct pl_error *error)
{
	char mode[32];
	int64_t number;

	if (sqlite3_open_v2(path, &store->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX,
			    NULL) != SQLITE_OK)
		return fail(store, error);
	sqlite3_extended_result_codes(store->db, 1);
	/* A file of a stranger's making gets no chance to run anything. */
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	if (!run(store, "PRAGMA temp_store = MEMORY;"
		 "PRAGMA locking_mode = EXCLUSIVE;", error) ||
	    !ask(store, "PRAGMA journal_mode = WAL", &number, mode,
		 sizeof mode, error))
		return false;
	if (strcmp(mode, "wal") != 0)
		return pl_error_set(error, "it cannot be written");
	sqlite3_wal_hook(store->db, on_commit, store);
	return run(store, "PRAGMA synchronous = NORMAL;"
		   "PRAGMA journal_size_limit = 4194304;", error) &&
	       check_version(store, error) && check_whole(store, error) &&
	       prepare(store, error);
}

struct store *store_open(const char *path, struct pl_error *error)
{
	struct store *store;

	if (!make_file(path, error)) {
		pl_error_context(error, "%s", path);
		return NULL;
	}
	store = pl_calloc(1, sizeof *store);
	if (!open_file(store, path, error)) {
		pl_error_context(error, "%s", path);
		store_close(store);
		return NULL;
	}
	return store;
}

bool store_load(struct store *store,
		void (*row)(void *owner, const char *local, const char *remote,
			    int64_t used),
		void *owner, struct pl_error *error)
{
	sqlite3_stmt *query = NULL;
	int result;

	if (sqlite3_prepare_v2(store->db, "SELECT local, remote, used FROM "
			       "contacts ORDER BY used", -1, &query, NULL) !=
	    SQLITE_OK)
		return fail(store, error);
	while ((result = sqlite3_step(query)) == SQLITE_ROW) {
		const char *local =
			(const char *)sqlite3_column_text(query, 0);
		const char *remote =
			(const char *)sqlite3_column_text(query, 1);

		if (local != NULL && remote != NULL)
			row(owner, local, remote,
			    sqlite3_column_int64(query, 2));
	}
	if (result != SQLITE_DONE)
		fail(store, error);
	sqlite3_finalize(query);
	return result == SQLITE_DONE;
}

/* ----- the log, into the file ----- */

static void *move(void *owner)
{
	struct store *store = owner;

	/* A failure shows at the next commit, or is none: the log only grows. */
	sqlite3_wal_checkpoint_v2(store->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
				  NULL, NULL);
	atomic_store(&store->moved, true);
	return NULL;
}

static void begin_moving(struct store *store)
{
	sigset_t all, before;

	store->pages = 0;
	atomic_store(&store->moved, false);
	sigfillset(&all); /* signals are for the loop's thread */
	pthread_sigmask(SIG_SETMASK, &all, &before);
	store->moving = pthread_create(&store->mover, NULL, move, store) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void end_moving(struct store *store)
{
	if (store->moving)
		pthread_join(store->mover, NULL);
	store->moving = false;
}

bool store_busy(struct store *store)
{
	if (store->moving && !atomic_load(&store->moved))
		return true;
	end_moving(store);
	return false;
}

/* ----- batches ----- */

bool store_begin(struct store *store, struct pl_error *error)
{
	return run(store, "BEGIN IMMEDIATE", error);
}

static bool step(struct store *store, sqlite3_stmt *statement,
		 const char *local, const char *remote, struct pl_error *error)
{
	bool good;

	sqlite3_bind_text(statement, 1, local, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, remote, -1, SQLITE_STATIC);
	good = sqlite3_step(statement) == SQLITE_DONE || fail(store, error);
	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return good;
}

bool store_put(struct store *store, const char *local, const char *remote,
	       int64_t used, struct pl_error *error)
{
	sqlite3_bind_int64(store->put, 3, used);
	return step(store, store->put, local, remote, error);
}

bool store_drop(struct store *store, const char *local, const char *remote,
		struct pl_error *error)
{
	return step(store, store->drop, local, remote, error);
}

bool store_commit(struct store *store, struct pl_error *error)
{
	if (!run(store, "COMMIT", error))
		return false;
	if (store->pages >= LOG_PAGES)
		begin_moving(store);
	return true;
}

void store_cancel(struct store *store)
{
	if (!sqlite3_get_autocommit(store->db))
		run(store, "ROLLBACK", NULL);
}

void store_close(struct store *store)
{
	if (store == NULL)
		return;
	end_moving(store);
	sqlite3_finalize(store->put);
	sqlite3_finalize(store->drop);
	sqlite3_close(store->db);
	free(store);
}
