/*
 * From root to an ordinary user. Private keys are often readable by root
 * alone, and a reload must read them again: the right to read files
 * (CAP_DAC_READ_SEARCH) stays permitted, is effective only while a reload
 * runs, and is the only one that stays.
 */
#include "internal.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

static const struct passwd *find_user(const char *user, struct pl_error *error)
{
	const struct passwd *entry;

	if (user != NULL && user[0] != '\0') {
		entry = getpwnam(user);
		if (entry == NULL)
			pl_error_set(error, "user \"%s\" does not exist", user);
		return entry;
	}
	entry = getpwnam("parley");
	if (entry == NULL)
		entry = getpwnam("nobody");
	if (entry == NULL)
		pl_error_set(error, "neither user parley nor nobody exists: "
				    "set user in the configuration");
	return entry;
}

bool privileges_drop(const char *user, char *became, size_t size,
		     struct pl_error *error)
{
	const struct passwd *entry;
	int failed;

	became[0] = '\0';
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (geteuid() != 0)
		return true;
	entry = find_user(user, error);
	if (entry == NULL)
		return false;
	snprintf(became, size, "%s", entry->pw_name);
	if (entry->pw_uid == 0)
		return true; /* asked for in so many words */
	capng_clear(CAPNG_SELECT_BOTH);
	capng_update(CAPNG_ADD, CAPNG_PERMITTED, CAP_DAC_READ_SEARCH);
	failed = capng_change_id((int)entry->pw_uid, (int)entry->pw_gid,
				 CAPNG_DROP_SUPP_GRP | CAPNG_CLEAR_BOUNDING);
	if (failed != 0)
		return pl_error_set(error, "becoming user %s failed (step %d): "
				    "%s", entry->pw_name, -failed,
				    strerror(errno));
	return true;
}

void privileges_reading(bool on)
{
	capng_get_caps_process();
	if (!capng_have_capability(CAPNG_PERMITTED, CAP_DAC_READ_SEARCH))
		return;
	capng_update(on ? CAPNG_ADD : CAPNG_DROP, CAPNG_EFFECTIVE,
		     CAP_DAC_READ_SEARCH);
	capng_apply(CAPNG_SELECT_CAPS);
}
