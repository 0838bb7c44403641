/* The table of contacts: look-up, bounds, and what is still to be written. */
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

enum {
	TIMES = 16,             /* a domain's share, in all */
	MOST_BUCKETS = 1 << 20,
	DOMAIN_BUCKETS = 256,
	WRITE_MS = 1000,        /* from a change to its writing */
	NEXT_MS = 20,           /* between batches */
	RETRY_MS = 60000,       /* after a failure */
	BATCH = 200,            /* most rows that one turn of the loop writes */
	FRESH_S = 3600,         /* a time of use that need not be written anew */
};

/* A local domain that has contacts. */
struct domain {
	LIST_ENTRY(domain) in_bucket;
	TAILQ_HEAD(, contact) contacts; /* the longest unused first */
	size_t count;
	char name[];
};

struct contact {
	LIST_ENTRY(contact) in_bucket;
	TAILQ_ENTRY(contact) in_domain, in_all;
	TAILQ_ENTRY(contact) unwritten; /* in .changed, or in .gone */
	struct domain *domain;          /* borrowed */
	int64_t used, written;          /* seconds; as known, and in the file */
	const char *remote;             /* in .local, behind it */
	bool changed;                   /* is in .changed */
	bool stored;                    /* the file has it */
	char local[];
};

TAILQ_HEAD(contact_list, contact);
LIST_HEAD(contact_bucket, contact);
LIST_HEAD(domain_bucket, domain);

struct pl_contacts {
	struct pl_loop *loop;           /* borrowed */
	struct pl_log *log;             /* borrowed; may be NULL */
	struct store *store;            /* owned; NULL: in memory only */
	char *file;                     /* owned; NULL likewise */
	struct pl_timer *timer;         /* owned: the next writing */
	struct contact_bucket *buckets; /* owned */
	size_t mask;                    /* their count less one */
	struct domain_bucket domains[DOMAIN_BUCKETS];
	struct contact_list all;        /* owned; the longest unused first */
	struct contact_list changed;    /* to be put into the file */
	struct contact_list gone;       /* owned; to be dropped from it: never
	                                 * more than the file has */
	uint64_t seed;
	size_t count;
	unsigned most;
	bool due;                       /* the timer runs */
	bool failing;                   /* the last writing failed */
};

/* ----- looking up ----- */

/* FNV-1a from a random start. */
static uint64_t hash(uint64_t from, const char *text)
{
	for (const char *c = text; *c != '\0'; c++)
		from = (from ^ (unsigned char)*c) * 0x100000001b3u;
	return from;
}

static struct contact_bucket *bucket_of(const struct pl_contacts *contacts,
					const char *local, const char *remote)
{
	uint64_t h = hash(contacts->seed, local);

	h = hash((h ^ 0xff) * 0x100000001b3u, remote);
	return &contacts->buckets[(h ^ h >> 32) & contacts->mask];
}

static struct contact *find(const struct pl_contacts *contacts,
			    const char *local, const char *remote)
{
	struct contact *contact;

	LIST_FOREACH(contact, bucket_of(contacts, local, remote), in_bucket)
		if (strcmp(contact->local, local) == 0 &&
		    strcmp(contact->remote, remote) == 0)
			return contact;
	return NULL;
}

static const char *domain_part(const char *bare)
{
	const char *at = strchr(bare, '@');

	return at != NULL ? at + 1 : bare;
}

static struct domain *find_domain(struct pl_contacts *contacts,
				  const char *name)
{
	uint64_t h = hash(contacts->seed, name);
	struct domain_bucket *bucket =
		&contacts->domains[(h ^ h >> 32) % DOMAIN_BUCKETS];
	struct domain *domain;

	LIST_FOREACH(domain, bucket, in_bucket)
		if (strcmp(domain->name, name) == 0)
			return domain;
	domain = calloc(1, sizeof *domain + strlen(name) + 1);
	if (domain == NULL)
		return NULL;
	strcpy(domain->name, name);
	TAILQ_INIT(&domain->contacts);
	LIST_INSERT_HEAD(bucket, domain, in_bucket);
	return domain;
}

/* ----- what is to be written ----- */

static void wake(struct pl_contacts *contacts, uint64_t delay_ms)
{
	if (contacts->due)
		return;
	contacts->due = true;
	pl_timer_set(contacts->timer, delay_ms);
}

static void mark_changed(struct pl_contacts *contacts, struct contact *contact)
{
	if (contacts->store == NULL || contact->changed)
		return;
	contact->changed = true;
	TAILQ_INSERT_TAIL(&contacts->changed, contact, unwritten);
	wake(contacts, WRITE_MS);
}

static bool write_batch(struct pl_contacts *contacts, struct pl_error *error)
{
	struct contact *contact;
	unsigned rows = 0;

	if (!store_begin(contacts->store, error))
		return false;
	/* first: the same contact may have come back since */
	TAILQ_FOREACH(contact, &contacts->gone, unwritten) {
		if (rows++ == BATCH)
			break;
		if (!store_drop(contacts->store, contact->local,
				contact->remote, error))
			return false;
	}
	TAILQ_FOREACH(contact, &contacts->changed, unwritten) {
		if (rows++ >= BATCH)
			break;
		if (!store_put(contacts->store, contact->local,
			       contact->remote, contact->used, error))
			return false;
	}
	return store_commit(contacts->store, error);
}

/* Takes from the lists what the batch has written. */
static void batch_written(struct pl_contacts *contacts)
{
	struct contact *contact;
	unsigned rows = 0;

	for (; rows < BATCH && !TAILQ_EMPTY(&contacts->gone); rows++) {
		contact = TAILQ_FIRST(&contacts->gone);
		TAILQ_REMOVE(&contacts->gone, contact, unwritten);
		free(contact);
	}
	for (; rows < BATCH && !TAILQ_EMPTY(&contacts->changed); rows++) {
		contact = TAILQ_FIRST(&contacts->changed);
		TAILQ_REMOVE(&contacts->changed, contact, unwritten);
		contact->changed = false;
		contact->stored = true;
		contact->written = contact->used;
	}
}

static bool all_written(const struct pl_contacts *contacts)
{
	return TAILQ_EMPTY(&contacts->gone) && TAILQ_EMPTY(&contacts->changed);
}

/* One line when it begins to fail, one when it is over. */
static void tell(struct pl_contacts *contacts, bool good, const char *text)
{
	if (good == !contacts->failing)
		return;
	contacts->failing = !good;
	if (good)
		pl_log_event(contacts->log, PL_LOG_NOTICE, "contacts",
			     "%s can be written again", contacts->file);
	else
		pl_log_event(contacts->log, PL_LOG_WARNING, "contacts",
			     "%s cannot be written: %s; what is new is kept in "
			     "memory only, and writing is tried again every "
			     "minute", contacts->file, text);
}

static bool write_some(struct pl_contacts *contacts)
{
	struct pl_error error = { .text = "" };
	bool good = write_batch(contacts, &error);

	if (good)
		batch_written(contacts);
	else
		store_cancel(contacts->store);
	tell(contacts, good, error.text);
	return good;
}

static void on_timer(void *owner)
{
	struct pl_contacts *contacts = owner;
	bool good;

	contacts->due = false;
	if (all_written(contacts))
		return;
	if (store_busy(contacts->store)) {
		wake(contacts, NEXT_MS);
		return;
	}
	good = write_some(contacts);
	if (!all_written(contacts))
		wake(contacts, good ? NEXT_MS : RETRY_MS);
}

/* ----- coming, being used, going ----- */

static void take_out(struct pl_contacts *contacts, struct contact *contact)
{
	struct domain *domain = contact->domain;

	LIST_REMOVE(contact, in_bucket);
	TAILQ_REMOVE(&contacts->all, contact, in_all);
	TAILQ_REMOVE(&domain->contacts, contact, in_domain);
	contacts->count--;
	if (--domain->count == 0) {
		LIST_REMOVE(domain, in_bucket);
		free(domain);
	}
	if (contact->changed)
		TAILQ_REMOVE(&contacts->changed, contact, unwritten);
	if (!contact->stored) {
		free(contact);
		return;
	}
	TAILQ_INSERT_TAIL(&contacts->gone, contact, unwritten);
	wake(contacts, WRITE_MS);
}

/* The newest is last in both lists, and never the one that goes. */
static void keep_bounds(struct pl_contacts *contacts, struct domain *domain)
{
	if (domain->count > contacts->most)
		take_out(contacts, TAILQ_FIRST(&domain->contacts));
	if (contacts->count > (size_t)contacts->most * TIMES)
		take_out(contacts, TAILQ_FIRST(&contacts->all));
}

static struct contact *insert(struct pl_contacts *contacts, const char *local,
			      const char *remote, int64_t used)
{
	size_t length = strlen(local) + 1;
	struct domain *domain = find_domain(contacts, domain_part(local));
	struct contact *contact;

	if (domain == NULL)
		return NULL;
	contact = calloc(1, sizeof *contact + length + strlen(remote) + 1);
	if (contact == NULL) {
		if (domain->count == 0) {
			LIST_REMOVE(domain, in_bucket);
			free(domain);
		}
		return NULL;
	}
	memcpy(contact->local, local, length);
	contact->remote = strcpy(contact->local + length, remote);
	contact->domain = domain;
	contact->used = used;
	LIST_INSERT_HEAD(bucket_of(contacts, local, remote), contact,
			 in_bucket);
	TAILQ_INSERT_TAIL(&contacts->all, contact, in_all);
	TAILQ_INSERT_TAIL(&domain->contacts, contact, in_domain);
	domain->count++;
	contacts->count++;
	return contact;
}

static int64_t now(const struct pl_contacts *contacts)
{
	return pl_loop_time(contacts->loop).tv_sec;
}

static void use(struct pl_contacts *contacts, struct contact *contact)
{
	contact->used = now(contacts);
	TAILQ_REMOVE(&contacts->all, contact, in_all);
	TAILQ_INSERT_TAIL(&contacts->all, contact, in_all);
	TAILQ_REMOVE(&contact->domain->contacts, contact, in_domain);
	TAILQ_INSERT_TAIL(&contact->domain->contacts, contact, in_domain);
	/* a clock that went back is written, too */
	if (contact->used - contact->written >= FRESH_S ||
	    contact->used < contact->written)
		mark_changed(contacts, contact);
}

bool pl_contacts_know(struct pl_contacts *contacts, const char *local,
		      const char *remote)
{
	struct contact *contact = find(contacts, local, remote);

	if (contact != NULL)
		use(contacts, contact);
	return contact != NULL;
}

void pl_contacts_add(struct pl_contacts *contacts, const char *local,
		     const char *remote)
{
	struct contact *contact;

	if (pl_contacts_know(contacts, local, remote))
		return;
	contact = insert(contacts, local, remote, now(contacts));
	if (contact == NULL)
		return;
	mark_changed(contacts, contact);
	keep_bounds(contacts, contact->domain);
}

void pl_contacts_set_most(struct pl_contacts *contacts, unsigned most)
{
	struct contact *contact, *next;

	contacts->most = most;
	for (contact = TAILQ_FIRST(&contacts->all); contact != NULL;
	     contact = next) {
		next = TAILQ_NEXT(contact, in_all);
		if (contact->domain->count > most ||
		    contacts->count > (size_t)most * TIMES)
			take_out(contacts, contact);
	}
}

void pl_contacts_copy(struct pl_contacts *to, const struct pl_contacts *from)
{
	const struct contact *contact;

	TAILQ_FOREACH(contact, &from->all, in_all)
		pl_contacts_add(to, contact->local, contact->remote);
}

size_t pl_contacts_count(const struct pl_contacts *contacts)
{
	return contacts->count;
}

/* ----- the life of it ----- */

/* Of the file: in order of use, so that the bounds keep the newest. */
static void on_row(void *owner, const char *local, const char *remote,
		   int64_t used)
{
	struct pl_contacts *contacts = owner;
	struct contact *contact = insert(contacts, local, remote, used);

	if (contact == NULL)
		return;
	contact->written = used;
	contact->stored = true;
	keep_bounds(contacts, contact->domain);
}

static bool open_store(struct pl_contacts *contacts, const char *file,
		       struct pl_error *error)
{
	if (file == NULL)
		return true;
	contacts->file = pl_strdup(file);
	contacts->store = store_open(file, error);
	return contacts->store != NULL &&
	       (store_load(contacts->store, on_row, contacts, error) ||
		pl_error_context(error, "%s", file));
}

struct pl_contacts *pl_contacts_new(struct pl_loop *loop, struct pl_log *log,
				    const char *file, unsigned most,
				    struct pl_error *error)
{
	struct pl_contacts *contacts = pl_calloc(1, sizeof *contacts);
	size_t buckets = DOMAIN_BUCKETS;

	while (buckets < most && buckets < MOST_BUCKETS)
		buckets *= 2;
	contacts->loop = loop;
	contacts->log = log;
	contacts->most = most;
	contacts->buckets = pl_calloc(buckets, sizeof *contacts->buckets);
	contacts->mask = buckets - 1;
	contacts->timer = pl_timer_new(loop, on_timer, contacts);
	pl_loop_random(loop, &contacts->seed, sizeof contacts->seed);
	TAILQ_INIT(&contacts->all);
	TAILQ_INIT(&contacts->changed);
	TAILQ_INIT(&contacts->gone);
	if (!open_store(contacts, file, error)) {
		store_close(contacts->store);
		contacts->store = NULL;
		pl_contacts_free(contacts);
		return NULL;
	}
	return contacts;
}

static void free_contacts(struct pl_contacts *contacts)
{
	struct contact *contact;

	while ((contact = TAILQ_FIRST(&contacts->all)) != NULL) {
		contact->stored = false;
		take_out(contacts, contact);
	}
	while ((contact = TAILQ_FIRST(&contacts->gone)) != NULL) {
		TAILQ_REMOVE(&contacts->gone, contact, unwritten);
		free(contact);
	}
}

void pl_contacts_free(struct pl_contacts *contacts)
{
	if (contacts == NULL)
		return;
	while (contacts->store != NULL && !all_written(contacts))
		if (store_busy(contacts->store))
			usleep(1000);
		else if (!write_some(contacts))
			break;
	store_close(contacts->store);
	free_contacts(contacts);
	pl_timer_free(contacts->timer);
	free(contacts->buckets);
	free(contacts->file);
	free(contacts);
}
