/* Contacts: bounds, the file and what can become of it. In virtual time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "parley/contacts.h"
#include "script.h"

static struct script *script;
static struct pl_loop *loop;
static struct pl_log *log_of_test;
static char folder[64], path[100], log_path[100];
static struct pl_error error;

static struct timeval clock_of(void *owner)
{
	return pl_loop_time(owner);
}

static int begin(void **state)
{
	struct pl_log_settings settings = { PL_LOG_DEBUG, PL_LOG_TEXT,
					    log_path };

	(void)state;
	strcpy(folder, "/tmp/parley-contacts-XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/parley.db", folder);
	snprintf(log_path, sizeof log_path, "%s/log", folder);
	script = script_new(1);
	loop = pl_loop_new(&error);
	log_of_test = pl_log_new(&settings, clock_of, loop, &error);
	assert_non_null(log_of_test);
	error.text[0] = '\0';
	return 0;
}

static int end(void **state)
{
	char command[100];

	(void)state;
	pl_log_free(log_of_test);
	pl_loop_free(loop);
	script_free(script);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct pl_contacts *open_it(unsigned most)
{
	return pl_contacts_new(loop, log_of_test, path, most, &error);
}

static struct pl_contacts *must_open(unsigned most)
{
	struct pl_contacts *contacts = open_it(most);

	if (contacts == NULL)
		print_error("%s\n", error.text);
	assert_non_null(contacts);
	return contacts;
}

static const char *user(unsigned n)
{
	static char text[2][40];
	static unsigned which;

	which ^= 1;
	snprintf(text[which], sizeof text[which], "u%u@gamma.example", n);
	return text[which];
}

static bool logged(const char *what)
{
	char text[65536];
	FILE *file = fopen(log_path, "r");
	size_t length;

	assert_non_null(file);
	length = fread(text, 1, sizeof text - 1, file);
	fclose(file);
	text[length] = '\0';
	return strstr(text, what) != NULL;
}

/* One number out of the file, by another connection. */
static long long in_file(const char *sql)
{
	sqlite3 *db;
	sqlite3_stmt *query;
	long long number = -1;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &query, NULL),
			 SQLITE_OK);
	if (sqlite3_step(query) == SQLITE_ROW)
		number = sqlite3_column_int64(query, 0);
	sqlite3_finalize(query);
	sqlite3_close(db);
	return number;
}

static void do_in_file(const char *sql)
{
	sqlite3 *db;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void refused(const char *why)
{
	error.text[0] = '\0';
	assert_null(open_it(10));
	if (strstr(error.text, why) == NULL)
		print_error("\"%s\" is not in: %s\n", why, error.text);
	assert_non_null(strstr(error.text, why));
	assert_non_null(strstr(error.text, path));
}

/* ----- the table ----- */

static void test_know(void **state)
{
	struct pl_contacts *c = pl_contacts_new(loop, NULL, NULL, 10, &error);

	(void)state;
	assert_false(pl_contacts_know(c, "a@alpha.example", "b@x.example"));
	pl_contacts_add(c, "a@alpha.example", "b@x.example");
	pl_contacts_add(c, "a@alpha.example", "b@x.example");
	assert_true(pl_contacts_know(c, "a@alpha.example", "b@x.example"));
	assert_false(pl_contacts_know(c, "b@x.example", "a@alpha.example"));
	assert_false(pl_contacts_know(c, "a@alpha.example", "c@x.example"));
	assert_false(pl_contacts_know(c, "c@alpha.example", "b@x.example"));
	/* nor do two texts run into each other */
	assert_false(pl_contacts_know(c, "a@alpha.exampleb", "@x.example"));
	assert_int_equal(pl_contacts_count(c), 1);
	pl_contacts_free(c);
	pl_contacts_free(NULL);
}

/* The one that was used least recently goes; used is also what was asked. */
static void test_bound(void **state)
{
	struct pl_contacts *c = pl_contacts_new(loop, NULL, NULL, 3, &error);

	(void)state;
	for (unsigned i = 1; i <= 3; i++)
		pl_contacts_add(c, "a@alpha.example", user(i));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_add(c, "b@alpha.example", user(4));
	assert_int_equal(pl_contacts_count(c), 3);
	assert_false(pl_contacts_know(c, "a@alpha.example", user(2)));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(3)));
	assert_true(pl_contacts_know(c, "b@alpha.example", user(4)));
	/* another domain does not push them out */
	for (unsigned i = 1; i <= 9; i++)
		pl_contacts_add(c, "a@beta.example", user(i));
	assert_int_equal(pl_contacts_count(c), 6);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_set_most(c, 1);
	assert_int_equal(pl_contacts_count(c), 2);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	assert_true(pl_contacts_know(c, "a@beta.example", user(9)));
	pl_contacts_free(c);
}

/* A wildcard component may have any number of domains. */
static void test_bound_in_all(void **state)
{
	struct pl_contacts *c = pl_contacts_new(loop, NULL, NULL, 2, &error);
	char local[40];

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(local, sizeof local, "a@d%u.example", i);
		pl_contacts_add(c, local, user(i));
	}
	assert_int_equal(pl_contacts_count(c), 32);
	assert_true(pl_contacts_know(c, "a@d999.example", user(999)));
	assert_false(pl_contacts_know(c, "a@d967.example", user(967)));
	pl_contacts_free(c);
}

/* ----- the file ----- */

static void test_kept(void **state)
{
	struct pl_contacts *c = must_open(10);
	struct stat status;

	(void)state;
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 07777, 0600);
	pl_contacts_add(c, "a@alpha.example", "j\xc3\xbcrgen@x.example");
	pl_contacts_add(c, "a'\"--@alpha.example", "b@x.example");
	pl_contacts_free(c); /* at once: nothing is lost */
	c = must_open(10);
	assert_int_equal(pl_contacts_count(c), 2);
	assert_true(pl_contacts_know(c, "a@alpha.example",
				     "j\xc3\xbcrgen@x.example"));
	assert_true(pl_contacts_know(c, "a'\"--@alpha.example",
				     "b@x.example"));
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 2);
	assert_int_equal(in_file("PRAGMA user_version"), 1);
}

/* Copies what a machine would find after a crash at this moment. */
static void crash(char *copy, size_t size)
{
	char command[400];

	snprintf(copy, size, "%s/crashed.db", folder);
	snprintf(command, sizeof command, "cp %s %s && { [ ! -e %s-wal ] || "
		 "cp %s-wal %s-wal; }", path, copy, path, path, copy);
	assert_int_equal(system(command), 0);
}

/* A crash loses what the last second brought, and no more. */
static void test_crash(void **state)
{
	struct pl_contacts *c = must_open(10), *after;
	char copy[100];

	(void)state;
	pl_contacts_add(c, "a@alpha.example", user(1));
	script_run(script, 1001);
	pl_contacts_add(c, "a@alpha.example", user(2));
	script_run(script, 500);
	crash(copy, sizeof copy);
	after = pl_contacts_new(loop, NULL, copy, 10, &error);
	assert_non_null(after);
	assert_true(pl_contacts_know(after, "a@alpha.example", user(1)));
	assert_false(pl_contacts_know(after, "a@alpha.example", user(2)));
	pl_contacts_free(after);
	pl_contacts_free(c);
}

/* The bound holds in the file, across a restart, and in the order of use. */
static void test_bound_in_file(void **state)
{
	struct pl_contacts *c = must_open(3);

	(void)state;
	for (unsigned i = 1; i <= 5; i++) {
		pl_contacts_add(c, "a@alpha.example", user(i));
		script_run(script, 4000);
	}
	script_run(script, 7200 * 1000);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(3)));
	script_run(script, 2000);
	/* it went and came back within one second */
	pl_contacts_add(c, "a@alpha.example", user(6)); /* 4 goes */
	pl_contacts_add(c, "a@alpha.example", user(4)); /* 5 goes */
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 3);
	c = must_open(2);
	assert_int_equal(pl_contacts_count(c), 2);
	assert_false(pl_contacts_know(c, "a@alpha.example", user(3)));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(4)));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(6)));
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 2);
}

/* What is used all day is not written all day. */
static void test_fresh(void **state)
{
	struct pl_contacts *c = must_open(3);
	long long first, second;

	(void)state;
	pl_contacts_add(c, "a@alpha.example", user(1));
	script_run(script, 1800 * 1000);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_free(c);
	first = in_file("SELECT used FROM contacts");
	c = must_open(3);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT used FROM contacts"), first);
	c = must_open(3);
	script_run(script, 1900 * 1000);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_free(c);
	second = in_file("SELECT used FROM contacts");
	assert_in_range(second - first, 3600, 3800);
}

static void test_batches(void **state)
{
	struct pl_contacts *c = must_open(100000);
	char copy[100];

	(void)state;
	for (unsigned i = 0; i < 5000; i++)
		pl_contacts_add(c, "a@alpha.example", user(i));
	/* disks keep real time */
	for (unsigned i = 0; i < 300; i++) {
		script_run(script, 20);
		usleep(1000);
	}
	crash(copy, sizeof copy);
	pl_contacts_free(c);
	strcpy(path, copy);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 5000);
}

/* Many batches, each while the log may be on its way into the file. */
static void test_moving(void **state)
{
	struct pl_contacts *c = must_open(3000);
	struct stat status;

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		pl_contacts_add(c, "a@alpha.example", user(i * 7919 % 20011));
		if (i % 100 == 0)
			script_run(script, 1000);
	}
	/* it was moved before the end */
	assert_int_equal(stat(path, &status), 0);
	assert_true(status.st_size > 4096);
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 3000);
	pl_contacts_free(must_open(3000));
}

static void test_copy(void **state)
{
	struct pl_contacts *memory = pl_contacts_new(loop, NULL, NULL, 9,
						     &error);
	struct pl_contacts *c;

	(void)state;
	pl_contacts_add(memory, "a@alpha.example", user(1));
	c = must_open(10);
	pl_contacts_copy(c, memory);
	pl_contacts_free(memory);
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 1);
}

/* ----- what can become of a file ----- */

static void test_no_folder(void **state)
{
	(void)state;
	snprintf(path, sizeof path, "%s/none/parley.db", folder);
	refused("No such file or directory");
	snprintf(path, sizeof path, "%s", folder);
	refused("Is a directory");
	snprintf(path, sizeof path, "/dev/null");
	refused("no ordinary file");
}

static void write_file(const char *text)
{
	FILE *file = fopen(path, "w");

	for (unsigned i = 0; i < 200; i++)
		fputs(text, file);
	fclose(file);
}

static void test_no_database(void **state)
{
	(void)state;
	write_file("This is a letter, and nothing that parley made.\n");
	refused("no database, or damaged");
}

static void test_foreign(void **state)
{
	(void)state;
	do_in_file("CREATE TABLE other (x)");
	refused("not of parley");
	/* and it is as it was */
	assert_int_equal(in_file("SELECT count(*) FROM sqlite_schema"), 1);
}

static void test_newer(void **state)
{
	(void)state;
	pl_contacts_free(must_open(10));
	do_in_file("PRAGMA user_version = 2");
	refused("version 2");
}

static void test_in_use(void **state)
{
	struct pl_contacts *c = must_open(10);

	(void)state;
	refused("in use by another process");
	pl_contacts_add(c, "a@alpha.example", user(1));
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 1);
}

static void fill(unsigned count)
{
	struct pl_contacts *c = must_open(100000);

	for (unsigned i = 0; i < count; i++)
		pl_contacts_add(c, "a@alpha.example", user(i));
	pl_contacts_free(c);
}

/* Every page in turn; a refusal or a table that can be read, nothing else. */
static void test_damage(void **state)
{
	char junk[4096];
	off_t size;
	int fd;

	(void)state;
	fill(2000);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	assert_true(size > 8 * 4096);
	memset(junk, 0x5a, sizeof junk);
	for (off_t page = 0; page < size; page += 4096) {
		char kept[4096];

		assert_int_equal(pread(fd, kept, 4096, page), 4096);
		assert_int_equal(pwrite(fd, junk, 4096, page), 4096);
		refused("damaged");
		assert_int_equal(pwrite(fd, kept, 4096, page), 4096);
	}
	assert_int_equal(ftruncate(fd, size / 2), 0);
	close(fd);
	refused("damaged");
}

/* One letter: every row can be read, and is not where it belongs. */
static void test_wrong_order(void **state)
{
	static const char from[] = "u500@gamma.example";
	unsigned char *all;
	off_t size;
	char *at;
	int fd;

	(void)state;
	fill(2000);
	fd = open(path, O_RDWR);
	size = lseek(fd, 0, SEEK_END);
	all = malloc((size_t)size);
	assert_non_null(all);
	assert_int_equal(pread(fd, all, (size_t)size, 0), size);
	at = memmem(all, (size_t)size, from, sizeof from - 1);
	assert_non_null(at);
	assert_int_equal(pwrite(fd, "z", 1, (off_t)(at - (char *)all)), 1);
	free(all);
	close(fd);
	refused("damaged");
}

/* Cut at any length it is refused, or it is new. */
static void test_cut(void **state)
{
	static const off_t sizes[] = { 1, 15, 16, 99, 100, 511, 1024, 4095 };

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		fill(10);
		assert_int_equal(truncate(path, sizes[i]), 0);
		error.text[0] = '\0';
		assert_null(open_it(10));
		assert_true(error.text[0] != '\0');
		unlink(path);
	}
	fill(10);
	assert_int_equal(truncate(path, 0), 0);
	pl_contacts_free(must_open(10));
}

/* Rows that nobody here wrote. */
static void test_odd_rows(void **state)
{
	struct pl_contacts *c;

	(void)state;
	pl_contacts_free(must_open(10));
	do_in_file("INSERT INTO contacts VALUES ('', '', 'soon'), "
		   "(x'00ff', x'40', 1e300), ('a@', 'b', -1), "
		   "(hex(zeroblob(100000)), 'c', 9223372036854775807)");
	c = must_open(10);
	assert_false(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_add(c, "a@alpha.example", user(1));
	pl_contacts_free(c);
	c = must_open(10);
	assert_true(pl_contacts_know(c, "a@alpha.example", user(1)));
	pl_contacts_free(c);
}

static void test_read_only(void **state)
{
	(void)state;
	pl_contacts_free(must_open(10));
	assert_int_equal(chmod(path, 0400), 0);
	assert_int_equal(chmod(folder, 0755), 0);
	if (geteuid() == 0)
		assert_int_equal(seteuid(65534), 0);
	refused("Permission denied");
	if (getuid() == 0)
		assert_int_equal(seteuid(0), 0);
}

/* Files of this process end here: what a full disk does. */
static void limit_files(rlim_t bytes)
{
	struct rlimit limit = { bytes, RLIM_INFINITY };

	if (bytes == RLIM_INFINITY)
		getrlimit(RLIMIT_FSIZE, &limit), limit.rlim_cur = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void test_disk_full(void **state)
{
	struct pl_contacts *c = must_open(100000);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	for (unsigned i = 0; i < 500; i++)
		pl_contacts_add(c, "a@alpha.example", user(i));
	limit_files(8192);
	script_run(script, 3000);
	limit_files(RLIM_INFINITY);
	assert_true(logged("warning event=contacts"));
	assert_true(logged("cannot be written"));
	/* it goes on in memory */
	assert_true(pl_contacts_know(c, "a@alpha.example", user(7)));
	pl_contacts_add(c, "a@alpha.example", user(900));
	assert_true(pl_contacts_know(c, "a@alpha.example", user(900)));
	assert_false(logged("can be written again"));
	/* and in the file, as soon as there is room */
	script_run(script, 62000);
	assert_true(logged("can be written again"));
	pl_contacts_free(c);
	assert_int_equal(in_file("SELECT count(*) FROM contacts"), 501);
}

/* It stays full: nothing hangs, at the end either. */
static void test_stays_full(void **state)
{
	struct pl_contacts *c = must_open(20);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	limit_files(8192);
	for (unsigned i = 0; i < 5000; i++) {
		pl_contacts_add(c, "a@alpha.example", user(i));
		script_run(script, 1000);
	}
	assert_int_equal(pl_contacts_count(c), 20);
	pl_contacts_free(c);
	limit_files(RLIM_INFINITY);
	pl_contacts_free(must_open(20));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
		TEST(test_know), TEST(test_bound), TEST(test_bound_in_all),
		TEST(test_kept), TEST(test_crash), TEST(test_bound_in_file),
		TEST(test_fresh), TEST(test_batches), TEST(test_moving),
		TEST(test_copy),
		TEST(test_no_folder), TEST(test_no_database),
		TEST(test_foreign), TEST(test_newer), TEST(test_in_use),
		TEST(test_damage), TEST(test_wrong_order), TEST(test_cut), TEST(test_odd_rows),
		TEST(test_read_only), TEST(test_disk_full),
		TEST(test_stays_full),
	};

	return cmocka_run_group_tests_name("contacts", tests, NULL, NULL);
}
