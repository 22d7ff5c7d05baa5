// SPDX-License-Identifier: BSD-3-Clause
// `vergectl what-if T CHANGE...`: the live legs of a trunk as they are, and as they would stand had
// their calls begun with other settings. The change itself is played by lib/session_timer: what it
// negotiates, when it refreshes and gives up. Nothing is changed. Thread: control.
#pragma once

#include "config/config.h"
#include "control/control.h"

// FIGURE(id, "word", kind, "what it is"): what is told of now and of then.
#define WHAT_IF_FIGURES(FIGURE)                                                             \
	FIGURE(VERGE, "verge_refreshes", COUNT, "legs that verge refreshes")                \
	FIGURE(PEER, "peer_refreshes", COUNT, "legs that the peer refreshes")               \
	FIGURE(NONE, "no_timer", COUNT, "legs without a session timer")                     \
	FIGURE(REFUSED, "refused", COUNT, "legs whose call would not be: 420, 421 or 422")  \
	FIGURE(SENT, "sent_per_s", RATE, "refreshes a second that verge sends")             \
	FIGURE(ANSWERED, "answered_per_s", RATE, "refreshes a second that verge answers")   \
	FIGURE(MESSAGES, "messages_per_s", RATE,                                            \
	       "SIP messages a second of both, less 100 Trying and retransmissions")        \
	FIGURE(DEAD, "dead_peer_s", SECONDS,                                                \
	       "at most so long after its peer died a leg with a timer is given up")        \
	FIGURE(BUDGET, "budget_per_s", COUNT, "session_timer.budget; 0 is unlimited")       \
	FIGURE(NEEDED, "budget_needed_per_s", COUNT, "what these legs need of it")          \
	FIGURE(AT_LIMIT, "budget_at_limit_per_s", COUNT,                                    \
	       "what it needs if verge refreshes limits.calls legs at the interval (verge " \
	       "--check)")

enum what_if_figure {
#define FIGURE(id, word, kind, help) WHAT_IF_##id,
	WHAT_IF_FIGURES(FIGURE)
#undef FIGURE
		WHAT_IF_FIGURES_N
};

// RISK(id, "word", "why")
#define WHAT_IF_RISKS(RISK)                                                                        \
	RISK(MIN_SE, "min_se",                                                                     \
	     "the peer's Min-SE (of a 422 or a request) is above the new interval: the leg runs "  \
	     "at that, or without a timer where max_interval is less")                             \
	RISK(OWN_MIN, "own_min_se",                                                                \
	     "the peer asks for less than the new min_interval: it gets 422 and has to ask again") \
	RISK(LOST, "timer_lost",                                                                   \
	     "the leg has a timer and would have none: nothing would end it when its peer dies")   \
	RISK(REFUSED, "refused",                                                                   \
	     "the call would not be: a timer is required and the peer has none")                   \
	RISK(REFRESH, "refresh_fails",                                                             \
	     "refreshes by verge failed on this trunk or User-Agent (fact refresh)")               \
	RISK(METHOD, "method_fails",                                                               \
	     "the method that verge would use failed on this trunk or User-Agent (facts update, "  \
	     "invite)")                                                                            \
	RISK(PEER_FAILS, "peer_refresh_fails",                                                     \
	     "peers of this trunk or User-Agent did not refresh as they had to (fact "             \
	     "peer_refresh)")                                                                      \
	RISK(INVITE_ONLY, "invite_only",                                                           \
	     "verge can refresh only by re-INVITE, which carries SDP and collides with a change "  \
	     "of media")                                                                           \
	RISK(PEER_DECIDES, "peer_decides",                                                         \
	     "the peer refreshes: how often is its choice, the interval is only the most it gets")

enum what_if_risk {
#define RISK(id, word, why) WHAT_IF_RISK_##id,
	WHAT_IF_RISKS(RISK)
#undef RISK
		WHAT_IF_RISKS_N
};

// Figures that are rates are millionths a second.
struct what_if_load {
	uint64_t figure[WHAT_IF_FIGURES_N];
};

struct what_if {
	struct config_timer timer; // the settings to come
	uint16_t trunk;
	uint32_t limit;		   // calls: limits.calls, or what verge has room for
	uint32_t peer_messages_pm; // messages of a refresh by a peer, thousandths
	uint64_t legs, at_risk;	   // at_risk: legs of which some risk is true
	uint64_t risk[WHAT_IF_RISKS_N];
	struct what_if_load now, then;
};

// Before the first call: all but *timer and trunk are set. peer_updates, peer_invites: refreshes
// that peers of the trunk have sent so far, by method.
void what_if_begin(struct what_if *w, const struct control *c, const struct config_timer *timer,
		   unsigned trunk, uint64_t peer_updates, uint64_t peer_invites);
// Count a call's legs on the trunk; calls that are not answered have no session yet.
void what_if_call(struct what_if *w, const struct control *c, unsigned worker,
		  const struct call_view *view);
// After the last: what a budget needs.
void what_if_end(struct what_if *w, const struct control *c);
// Whether the budget to come is enough for the refreshes that verge would send.
bool what_if_suffices(const struct what_if_load *load);
