// SPDX-License-Identifier: BSD-3-Clause
// Two ends of one leg, each by lib/session_timer with a profile of the input's choosing, against
// each other and against headers that no well-behaved peer sends. After each step: the invariants
// of a leg; what goes out obeys RFC 4028; two well-behaved ends agree on interval and refresher.
#include "fuzz.h"

#include <string.h>

#include "session_timer/outcome.h"

struct input {
	const uint8_t *p;
	size_t left;
};

static uint8_t byte(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->p++;
}

static uint32_t number(struct input *in)
{
	static const uint32_t usual[] = {0,    1,    60,    89,	   90,	     91,	600,
					 1800, 3600, 28800, 86400, 1u << 31, UINT32_MAX};
	uint8_t b = byte(in);

	return b < 0xe0 ? usual[b % (sizeof(usual) / sizeof(usual[0]))]
			: (uint32_t)byte(in) << 24 | (uint32_t)byte(in) << 16 |
				  (uint32_t)byte(in) << 8 | b;
}

static struct st_policy policy_of(struct input *in)
{
	struct st_policy p = {
		.interval_s = number(in),
		.min_interval_s = number(in),
		.max_interval_s = number(in),
		.learned_min_se_s = number(in),
		.refresh_at_pm = (uint16_t)(byte(in) * 4),
		.jitter_pm = byte(in),
		.expiry_margin_s = (uint16_t)(byte(in) * 16),
		.max_422 = byte(in) % 11,
		.mode = byte(in) % 4,
		.prefer = byte(in) % 5,
		.method = byte(in) % 3,
		.unasked = byte(in) % 2,
		.failure_policy = byte(in) % 2,
	};
	uint8_t flags = byte(in);

	p.insert = flags & 1;
	p.midcall_activation = flags & 2;
	p.no_update = flags & 4;
	p.no_invite = flags & 8;
	return p;
}

// What the other end reads from our headers, as st_read() would.
static struct st_seen seen_of(const struct st_headers *h)
{
	return (struct st_seen){.has_se = h->se_s != 0,
				.se_s = h->se_s,
				.min_se_s = h->min_se_s,
				.refresher = h->refresher,
				.supported = h->supported,
				.required = h->require};
}

// Anything that st_read() may say.
static struct st_seen hostile(struct input *in)
{
	struct st_seen s = {.se_s = number(in), .min_se_s = number(in), .refresher = byte(in) % 3};
	uint8_t flags = byte(in);

	s.has_se = flags & 1;
	s.supported = flags & 2;
	s.required = flags & 4;
	s.has_allow = flags & 8;
	s.allow = s.has_allow ? number(in) & 0xffff : 0;
	if (s.min_se_s != 0 && s.min_se_s < ST_FLOOR_S)
		s.min_se_s = ST_FLOOR_S;
	if (!s.has_se)
		s.se_s = s.refresher = 0;
	return s;
}

static void leg_holds(const struct st_policy *p, const struct st_leg *leg, tick_t now)
{
	tick_t deadline = st_deadline(p, leg);

	FUZZ_ASSERT((leg->role == ST_ROLE_NONE) == (leg->se_s == 0));
	FUZZ_ASSERT(leg->se_s == 0 || leg->se_s >= ST_FLOOR_S); // st03
	FUZZ_ASSERT(leg->by < ST_BY_N);
	if (leg->se_s == 0) {
		FUZZ_ASSERT(st_next(p, leg, false) == TICK_NEVER);
		return;
	}
	FUZZ_ASSERT(deadline > now && deadline <= leg->expiry_tk); // none is dead at once
	FUZZ_ASSERT(leg->expiry_tk == now + TICK_S(leg->se_s));
	if (leg->role != ST_ROLE_LOCAL)
		return;
	FUZZ_ASSERT(leg->refresh_tk > now && leg->refresh_tk < deadline);
	if ((leg->flags & ST_LEG_BOTH) == 0) // st26
		FUZZ_ASSERT(leg->refresh_tk <= now + TICK_MS(500) * leg->se_s);
}

static void request_holds(const struct st_policy *p, const struct st_headers *h)
{
	FUZZ_ASSERT(h->se_s == 0 || h->se_s >= ST_FLOOR_S);
	FUZZ_ASSERT(h->se_s >= h->min_se_s);			    // st16
	FUZZ_ASSERT(!h->require || p->mode == ST_MODE_REQUIRED);    // st12, p36
	FUZZ_ASSERT(h->supported || (h->se_s == 0 && !h->require)); // st11
}

static void answer_holds(const struct st_seen *request, const struct st_headers *h)
{
	bool timer = request->supported || request->required;

	FUZZ_ASSERT(h->min_se_s == 0); // st07
	if (h->se_s == 0)
		return;
	FUZZ_ASSERT(h->refresher != ST_REFRESHER_NONE);			    // st61
	FUZZ_ASSERT(h->require == timer);				    // st63, st64, st65
	FUZZ_ASSERT(h->se_s >= ST_FLOOR_S && h->se_s >= request->min_se_s); // st59
	if (!timer) {
		FUZZ_ASSERT(h->refresher == ST_REFRESHER_UAS); // st62
		return;
	}
	if (request->has_se && request->se_s >= ST_FLOOR_S && request->se_s >= request->min_se_s)
		FUZZ_ASSERT(h->se_s <= request->se_s); // st58
	if (request->has_se && request->refresher != ST_REFRESHER_NONE)
		FUZZ_ASSERT(h->refresher == request->refresher); // st62
}

struct end {
	struct st_policy policy;
	struct st_leg leg;
};

// One INVITE or UPDATE from a to b with all its 422s. False: refused for good.
static bool exchange(struct end *a, struct end *b, unsigned flags, tick_t now, uint32_t jitter)
{
	for (unsigned sent = 1;; sent++) {
		struct st_headers offer = st_offer(&a->policy, &a->leg, flags), reply;
		struct st_seen at_b = seen_of(&offer), at_a;
		unsigned code;

		request_holds(&a->policy, &offer);
		FUZZ_ASSERT(sent <= 1u + a->policy.max_422); // p06
		code = st_refuse(&b->policy, &b->leg, &at_b, flags, &reply);
		at_a = seen_of(&reply);
		if (code == 422) {
			FUZZ_ASSERT(reply.min_se_s >= ST_FLOOR_S); // st09, st10
			FUZZ_ASSERT(at_b.supported || at_b.required);
			if (st_after_422(&a->policy, &a->leg, &offer, &at_a) == ST_RETRY_GIVE_UP)
				return false;
			continue;
		}
		if (code != 0)
			return false;
		reply = st_answer(&b->policy, &b->leg, &at_b, flags, now, jitter);
		answer_holds(&at_b, &reply);
		leg_holds(&b->policy, &b->leg, now);
		at_a = seen_of(&reply);
		st_accept(&a->policy, &a->leg, &offer, &at_a, now, jitter);
		leg_holds(&a->policy, &a->leg, now);
		return true;
	}
}

static void hostile_step(struct input *in, struct end *e, tick_t now, uint32_t jitter)
{
	unsigned flags = byte(in) % 8;
	struct st_seen seen = hostile(in);
	struct st_headers offer, reply;

	if (byte(in) % 2) {
		offer = st_offer(&e->policy, &e->leg, flags);
		request_holds(&e->policy, &offer);
		if (byte(in) % 2)
			(void)st_after_422(&e->policy, &e->leg, &offer, &seen);
		else
			st_accept(&e->policy, &e->leg, &offer, &seen, now, jitter);
	} else if (st_refuse(&e->policy, &e->leg, &seen, flags, &reply) == 0) {
		reply = st_answer(&e->policy, &e->leg, &seen, flags, now, jitter);
		answer_holds(&seen, &reply);
	}
	FUZZ_ASSERT((e->leg.role == ST_ROLE_NONE) == (e->leg.se_s == 0));
	if (e->leg.last_ok_tk == now)
		leg_holds(&e->policy, &e->leg, now);
	FUZZ_ASSERT(st_peer_bye_boundary(&e->leg, now + TICK_S(number(in))) < ST_BOUNDARY_N);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	struct end a = {.policy = policy_of(&in)}, b = {.policy = policy_of(&in)};
	tick_t now = TICK_S(1000);
	bool behaved = true;

	a.leg.flags = ST_LEG_WE_INVITED;
	if (!exchange(&a, &b, ST_INITIAL | byte(&in) % 2 * ST_OTHER_TIMER, now, number(&in)))
		return 0;
	for (unsigned steps = 0; in.left != 0 && steps < 64; steps++) {
		uint8_t what = byte(&in);

		now += TICK_MS(1) + TICK_MS(100) * byte(&in);
		if (what % 4 == 0) {
			behaved = false;
			hostile_step(&in, what % 8 ? &a : &b, now, number(&in));
			continue;
		}
		if (!exchange(what % 4 == 1 ? &a : &b, what % 4 == 1 ? &b : &a,
			      what % 16 >= 8 ? ST_REFRESH_ONLY : 0, now, number(&in)))
			return 0; // still as it was: the old expiry goes on
		// Both follow the same 2xx. An end may leave a timer that it did not want, or run
		// one alone.
		if (behaved && a.leg.se_s != 0 && b.leg.se_s != 0 && a.leg.by != ST_BY_OWN &&
		    b.leg.by != ST_BY_OWN) {
			FUZZ_ASSERT(a.leg.role != b.leg.role);
			FUZZ_ASSERT(a.leg.se_s == b.leg.se_s || a.leg.role == ST_ROLE_LOCAL ||
				    b.leg.role == ST_ROLE_LOCAL);
		}
	}
	return 0;
}
