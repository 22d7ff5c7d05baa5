// SPDX-License-Identifier: BSD-3-Clause
// Dispatch of commands, and what they share. Thread: control.
#include "control/commands.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/pool.h"
#include "control/cdr.h"

static const struct {
	const char *name;
	bool (*run)(struct commands_job *j);
} commands[] = {
#define COMMAND(id, arguments, help) {#id, commands_run_##id},
#include "control/commands.def"
};

void commands_refuse(struct commands_job *j, const char *format, ...)
{
	va_list args;

	if (j->error[0] != 0)
		return;
	va_start(args, format);
	vsnprintf(j->error, sizeof(j->error), format, args);
	va_end(args);
}

// The request cannot be read or names no command: say why.
static bool run_nothing(struct commands_job *j)
{
	const char *name;

	if (j->request == NULL)
		commands_refuse(j, "the request is no JSON object on one line");
	name = commands_text(j, "command", true);
	if (name != NULL)
		commands_refuse(j, "there is no command \"%.60s\"", name);
	return true;
}

struct commands_job *commands_new(const struct control_view *view, struct slice line)
{
	struct commands_job *j = calloc(1, sizeof(*j));
	const char *name;

	if (j == NULL)
		return NULL;
	j->view = view;
	j->run = run_nothing;
	j->request = json_loadb((const char *)line.p, line.len, JSON_REJECT_DUPLICATES, NULL);
	if (j->request != NULL && !json_is_object(j->request)) {
		json_decref(j->request);
		j->request = NULL;
	}
	name = j->request != NULL ? json_string_value(json_object_get(j->request, "command"))
				  : NULL;
	for (size_t i = 0; name != NULL && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(name, commands[i].name) == 0)
			j->run = commands[i].run;
	return j;
}

void commands_free(struct commands_job *j)
{
	if (j == NULL)
		return;
	json_decref(j->request);
	free(j->out.p);
	free(j->kept);
	free(j);
}

// Room for what a step writes at most.
static bool make_room(struct commands_job *j)
{
	uint32_t cap = j->out.cap != 0 ? j->out.cap : COMMANDS_ROOM;
	uint8_t *more;

	while (cap - j->out.len < COMMANDS_ROOM + 16 && cap < CLI_REPLY_MAX)
		cap *= 2;
	if (cap - j->out.len < COMMANDS_ROOM + 16) {
		commands_refuse(j, "the reply would be longer than %u MiB; ask for less",
				CLI_REPLY_MAX >> 20);
		return false;
	}
	if (cap == j->out.cap)
		return true;
	more = realloc(j->out.p, cap);
	if (more == NULL) {
		commands_refuse(j, "out of memory");
		return false;
	}
	j->out.p = more;
	j->out.cap = cap;
	return true;
}

static void put_error(struct commands_job *j)
{
	j->out.len = 0;
	j->out.full = false;
	outbuf_put_lit(&j->out, "{\"ok\":false");
	jsonout_str(&j->out, "error", j->error);
	outbuf_put_lit(&j->out, "}\n");
}

bool commands_step(struct commands_job *j)
{
	bool done;

	if (!make_room(j)) {
		if (j->out.cap != 0)
			put_error(j);
		return true;
	}
	if (j->out.len == 0)
		outbuf_put_lit(&j->out, "{\"ok\":true,\"result\":{");
	done = j->run(j);
	if (j->out.full)
		commands_refuse(j, "the reply does not fit");
	if (j->error[0] != 0) {
		put_error(j);
		return true;
	}
	if (done)
		outbuf_put_lit(&j->out, "}}\n");
	return done;
}

const char *commands_text(struct commands_job *j, const char *key, bool wanted)
{
	const char *text = json_string_value(json_object_get(j->request, key));

	if (text == NULL && wanted)
		commands_refuse(j, "the request has no %s", key);
	return text;
}

uint64_t commands_number(struct commands_job *j, const char *key, uint64_t otherwise, uint64_t most)
{
	const json_t *value = json_object_get(j->request, key);
	json_int_t number;

	if (value == NULL)
		return otherwise;
	number = json_integer_value(value);
	if (!json_is_integer(value) || number < 0 || (uint64_t)number > most) {
		commands_refuse(j, "%s must be a whole number from 0 to %llu", key,
				(unsigned long long)most);
		return otherwise;
	}
	return (uint64_t)number;
}

const char *commands_fault(const struct config_errors *errors)
{
	for (uint32_t i = 0; i < errors->n; i++)
		if (!errors->list[i].warning)
			return errors->list[i].text;
	return errors->list[0].text;
}

int commands_trunk(struct commands_job *j)
{
	const char *name = commands_text(j, "trunk", true);
	int id = name != NULL ? config_trunk_find(control_config(j->view->core), name) : -ENOENT;

	if (name != NULL && id < 0)
		commands_refuse(j, "no trunk is called \"%.60s\"", name);
	return id < 0 ? -1 : id;
}

bool commands_find(struct commands_job *j, unsigned *worker, struct call_view *view)
{
	const struct control_view *v = j->view;
	const char *id = commands_text(j, "call_id", true);

	for (unsigned w = 0; id != NULL && w < v->n_workers; w++) {
		uint32_t index = v->find(v->ctx, w, slice_of_str(id));

		for (int tries = 0; index != POOL_NONE && tries < 8; tries++)
			if (v->call(v->ctx, w, index, view) == 0) {
				*worker = w;
				return true;
			}
	}
	if (id != NULL)
		commands_refuse(j, "no call has the Call-ID \"%.200s\"", id);
	return false;
}

void commands_put_time(struct commands_job *j, const char *key, tick_t at)
{
	char text[CDR_TIME_BYTES];

	if (at == 0 || at == TICK_NEVER) {
		jsonout_null(&j->out, key);
		return;
	}
	cdr_time(text, j->view->unix_us(j->view->ctx, at));
	jsonout_str(&j->out, key, text);
}

void commands_put_endpoint(struct outbuf *o, const char *key, uint8_t family, const uint8_t *ip,
			   uint16_t udp)
{
	char text[INET6_ADDRSTRLEN + 16], address[INET6_ADDRSTRLEN];

	if (family == 0 ||
	    inet_ntop(family == 6 ? AF_INET6 : AF_INET, ip, address, sizeof(address)) == NULL) {
		jsonout_null(o, key);
		return;
	}
	snprintf(text, sizeof(text), family == 6 ? "[%s]:%u" : "%s:%u", address, udp);
	jsonout_str(o, key, text);
}

void commands_put_histogram(struct outbuf *o, const char *key, const struct histogram *h,
			    const struct histogram_bounds *bounds)
{
	jsonout_open(o, key, '{');
	jsonout_u64(o, "count", histogram_count(h));
	jsonout_milli(o, "p50_ms", histogram_quantile(h, bounds, 500));
	jsonout_milli(o, "p90_ms", histogram_quantile(h, bounds, 900));
	jsonout_milli(o, "p99_ms", histogram_quantile(h, bounds, 990));
	jsonout_close(o, '}');
}

void commands_sum_workers(const struct control_view *v, struct worker_stats *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; w < v->n_workers; w++)
		stat_worker_sum(sum, v->worker_stats[w]);
}

void commands_sum_trunk(const struct control_view *v, unsigned trunk, struct trunk_stats *sum)
{
	const struct control_trunk_stats *own = control_trunk_stats(v->core, trunk);

	memset(sum, 0, sizeof(*sum));
	for (unsigned w = 0; w < v->n_workers; w++) {
		const struct trunk_stats *t = v->trunk_stats(v->ctx, w, trunk);

		if (t != NULL)
			stat_trunk_sum(sum, t);
	}
	if (own != NULL)
		stat_trunk_sum(sum, &own->shared);
}

const char *commands_trunk_name(const struct control_view *v, unsigned trunk)
{
	const struct config *c = control_config(v->core);

	return trunk < c->n_trunks ? c->trunks[trunk].name : NULL;
}

const char *commands_method_word(unsigned refresh_method)
{
	static const char *const words[] = {
		[REFRESH_UPDATE] = "UPDATE",
		[REFRESH_UPDATE_SDP] = "UPDATE with SDP",
		[REFRESH_INVITE] = "re-INVITE",
	};

	return refresh_method < REFRESH_METHOD_N ? words[refresh_method] : "none";
}
