// SPDX-License-Identifier: BSD-3-Clause
// Reload: load, compare, refuse what needs a restart.
#include "control/reload.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include "control/jsonout.h"

struct compare {
	struct log *log;
	struct config_errors *errors;
	bool refused; // tell what needs a restart; otherwise what changes
};

static void put_change(struct outbuf *o, const struct config_change *change)
{
	outbuf_put_str(o, " key=");
	outbuf_put_str(o, change->path);
	outbuf_put_str(o, " from=");
	jsonout_put_string(o, slice_of_str(change->from));
	outbuf_put_str(o, " to=");
	jsonout_put_string(o, slice_of_str(change->to));
}

static void tell(void *arg, const struct config_change *change)
{
	struct compare *compare = arg;
	char text[900];
	struct outbuf o = outbuf_of(text, sizeof(text) - 1);

	if (compare->refused && !change->restart)
		return;
	outbuf_put_str(&o, compare->refused ? "needs_restart" : "changed");
	put_change(&o, change);
	text[o.len] = '\0';
	log_put(compare->log, compare->refused ? CONTROL_ERROR : CONTROL_INFO, "config", text);
	if (compare->refused)
		config_errors_add(compare->errors, false, 0, 0,
				  "%s is now %s and was %s; it changes with a restart only",
				  change->path, change->to[0] != 0 ? change->to : "gone",
				  change->from[0] != 0 ? change->from : "not there");
}

static void count_only(void *arg, const struct config_change *change)
{
	(void)arg;
	(void)change;
}

static void tell_errors(struct log *log, const struct config_errors *errors)
{
	char text[900];

	for (uint32_t i = 0; i < errors->n; i++) {
		const struct config_error *e = &errors->list[i];
		struct outbuf o = outbuf_of(text, sizeof(text) - 1);

		outbuf_put_str(&o, e->warning ? "warning" : "error");
		outbuf_put_str(&o, " file=");
		jsonout_put_string(&o, slice_of_str(errors->file));
		outbuf_put_str(&o, " line=");
		outbuf_put_u64(&o, e->line);
		outbuf_put_str(&o, " text=");
		jsonout_put_string(&o, slice_of_str(e->text));
		text[o.len] = '\0';
		log_put(log, e->warning ? CONTROL_WARNING : CONTROL_ERROR, "config", text);
	}
}

int reload_load(struct config **out, const char *path, const struct config *current,
		const struct config_machine *machine, struct config_errors *errors, struct log *log)
{
	struct compare compare = {.log = log, .errors = errors};
	struct stat st;
	int rc;

	if (stat(path, &st) == 0 && !S_ISREG(st.st_mode)) {
		*out = NULL;
		config_errors_add(errors, false, 0, 0,
				  "is no regular file: verge would wait for who writes it");
		rc = -EINVAL;
	} else {
		rc = config_load(out, path, current, machine, errors);
	}
	tell_errors(log, errors);
	if (rc != 0) {
		log_event(log, CONTROL_ERROR, "config", "reload_refused errno=%d errors=%u", -rc,
			  errors->errors);
		return rc;
	}
	compare.refused = config_compare(current, *out, count_only, NULL) != 0;
	(void)config_compare(current, *out, tell, &compare);
	if (!compare.refused)
		return 0;
	log_event(log, CONTROL_ERROR, "config", "reload_refused reason=needs_restart");
	config_free(*out);
	*out = NULL;
	return -EBUSY;
}
