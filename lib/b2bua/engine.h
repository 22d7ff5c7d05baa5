// SPDX-License-Identifier: BSD-3-Clause
// The session border controller of one worker, sans I/O: messages, timer events and orders in;
// messages and events out (RFC 3261, 3264, 3311, 3262, 4028, 7092). One thread owns an engine. It
// reads no clock (`now` is an argument), allocates nothing itself and makes no system call: memory,
// buffers and leg text come from the caller through engine_ops.
#pragma once

#include "base/sip_buf.h"
#include "base/siphash.h"
#include "base/tick.h"
#include "classify/classify.h"
#include "config/config.h"
#include "msg/msg.h"
#include "msg/tap.h"
#include "msg/trunk_live.h"
#include "sip/digest.h"
#include "sip/message.h"
#include "sip/numbers.h"
#include "sip/via.h"
#include "stat/stat.h"

struct engine;

struct engine_ops {
	// A buffer with refs = 1 and room for at least `size` bytes; NULL when none is left.
	struct sip_buf *(*buf_get)(void *ctx, uint32_t size);
	// The last reference is gone.
	void (*buf_put)(void *ctx, struct sip_buf *buf);
	// Memory for one leg's text; NULL when exhausted.
	void *(*text_alloc)(void *ctx, uint32_t size);
	// The block is not used any more by this engine; readers may still be inside it until a
	// grace period has passed.
	void (*text_retire)(void *ctx, void *text, uint32_t size);
	// Hash functions for digest authentication (RFC 7616).
	const struct sip_digest_hash *hash;
};

struct engine_params {
	uint32_t calls;		// capacity
	uint32_t transactions;	// capacity; 0 = as many as that many calls need
	uint8_t worker;		// this worker's number
	struct siphash_key key; // secret of this process, the same for all its workers
	const struct engine_ops *ops;
	void *ops_ctx;
	struct trunk_live *live;	 // [CONFIG_MAX_TRUNKS], shared by all workers
	struct trunk_stats *trunk_stats; // [CONFIG_MAX_TRUNKS], this worker's
	struct worker_stats *stats;	 // this worker's
};

// The values that routing a message needs, read once; slices point into the message.
struct rx_ids {
	struct sip_via via; // topmost; valid if has_via
	struct slice call_id, from_tag, to_tag;
	struct sip_cseq cseq;
	bool has_via;
	bool complete; // Call-ID, From, To and CSeq are there, once, and can be read
};

// One message as it reaches the call logic. The shell fills in the first four; has_ids, has_key and
// has_token are false unless engine_prefetch_record() has seen the message.
struct rx {
	struct sip_buf *buf; // the engine takes a reference of its own where it keeps the message
	struct flow flow;    // local = where it arrived, peer = who sent it
	struct sip_msg msg;
	struct sip_class class;
	struct rx_ids ids;
	uint64_t token;		      // payload of our tag or branch; valid if has_token
	uint64_t key;		      // of the server transaction; valid if has_key
	uint64_t call_id_hash, merge; // of an INVITE without To tag; valid if has_key
	bool has_ids, has_token, has_key;
	struct msg_about about; // what engine_message() found it to belong to
};

void rx_read_ids(struct rx *rx);
// What identifies the server transaction of a request: branch and sent-by, without the cookie what
// RFC 2543 had (RFC 3261 s17.2.3). Responses have none: they are found by their branch.
void rx_read_key(struct rx *rx, struct siphash_key key);

#define OUTBOX_SENDS   64
#define OUTBOX_EVENTS  64
#define OUTBOX_RECORDS 16
// No single input produces more than this; callers drain before less is free.
#define OUTBOX_RESERVE	       16
#define OUTBOX_RECORDS_RESERVE 4

struct send {
	struct sip_buf *buf; // holds one reference, which passes to the shell
	struct flow flow;    // local = from, peer = to
	struct msg_about about;
	bool again; // a retransmission
};

struct outbox {
	uint32_t n_sends, n_events, n_records;
	struct send sends[OUTBOX_SENDS];
	struct event events[OUTBOX_EVENTS];
	struct call_record records[OUTBOX_RECORDS];
};

// Bytes for engine_init(), multiple of 64; depends on calls and transactions only.
size_t engine_footprint(const struct engine_params *params);
// mem: engine_footprint() zeroed bytes at a multiple of 64, the caller's, kept until the end.
struct engine *engine_init(void *mem, const struct engine_params *params, tick_t now);

// Configuration for everything that begins from now on; calls in progress go on with the snapshot
// that they began with (config/config_kept.h). The snapshot that had this one's place (config.kept)
// may be freed after a grace period. Must be called once before the first message.
void engine_configure(struct engine *e, const struct config *config);
// How many calls go by the snapshot at a place. Any thread; what began before the last
// engine_configure() that the reader knows of is counted.
uint32_t engine_kept_calls(const struct engine *e, unsigned place);

// From now on (until false) what would begin something new gets 503 with Retry-After, statelessly;
// what belongs to a call or a transaction goes on. For messages that the worker has no time for.
void engine_refuse_new(struct engine *e, bool refuse);

// From now on (until false) new calls get 503, since message buffers are few: the rest is for calls
// that are there.
void engine_buffers_scarce(struct engine *e, bool scarce);

// Where inputs put what they produce. The caller empties it (n_sends = n_events = n_records = 0)
// whenever it wants, and must when engine_outbox_full() says so.
struct outbox *engine_outbox(struct engine *e);
bool engine_outbox_full(const struct engine *e);

// Three optional passes before engine_message(), each begins to load what the one before has led
// to: records and table buckets, legs and texts, other transactions and buffers.
void engine_prefetch_record(struct engine *e, struct rx *rx);
void engine_prefetch_text(struct engine *e, const struct rx *rx);
void engine_prefetch_rest(struct engine *e, const struct rx *rx);

// The trunk whose source an address is, on the port of the flow; -ENOENT.
int engine_trunk_of(struct engine *e, const struct flow *flow);
// Handle one message that parsed and comes from a known trunk source or not (the engine decides).
// Returns the verdict (enum verdict, stat/verdict.def) to count.
unsigned engine_message(struct engine *e, struct rx *rx, tick_t now);

// Answer a datagram that did not parse, where RFC 3261 wants an answer. error as sip_msg_parse()
// returned.
unsigned engine_unparsable(struct engine *e, struct rx *rx, int error, tick_t now);

// A message of ours did not reach its peer: ICMP or the link says so (RFC 3261 s8.1.3.1). sent: its
// first bytes as far as they are known. Who cannot have seen it cannot know its branch. Returns
// VERDICT_SIP_UNREACHABLE, or VERDICT_DROP_ICMP_ERROR when it changes nothing.
unsigned engine_unreachable(struct engine *e, struct slice sent, tick_t now);

// A message that shows how a peer departs from an RFC (stat/violation.def): at most one a minute
// for each kind on each trunk, cut at 2 KiB, as it was on the wire. NULL when there is none; *bytes
// and the result are good until the next input, and the engine has room for another one.
const struct tap_head *engine_sample(struct engine *e, const uint8_t **bytes);

// Run due timers, at most `budget` of them or until the outbox is full. Returns how many were run.
unsigned engine_expire(struct engine *e, tick_t now, unsigned budget);
// When engine_expire() next has work, at the earliest; TICK_NEVER if no timer runs.
tick_t engine_next(const struct engine *e);

void engine_prefetch_order(struct engine *e, const struct order *o, bool text); // as messages
// Carry out an order of control. Orders for calls that have ended are ignored.
void engine_order(struct engine *e, const struct order *order, tick_t now);

// How many of each thing are in use now; for gauges and for tests that look for leaks.
struct engine_usage {
	uint32_t calls, transactions, forks, timers, bufs; // bufs: references held on them
	uint64_t text_bytes;
};
void engine_usage(const struct engine *e, struct engine_usage *usage);
// Write the levels that are not counted as they change (legs, timers, text, buffers) into the
// worker's stats; as often as they are to be right.
void engine_gauges(struct engine *e);
int engine_check(const struct engine *e); // invariants: 0 or the number of the broken one

// Any thread inside an RCU read section: a consistent copy of what a call is doing.
struct leg_view {
	struct msg_timer timer;
	uint8_t state; // enum leg_state
	uint8_t kept;  // place of the snapshot that its call began with
	uint16_t trunk;
	uint32_t local_cseq, remote_cseq;
	uint16_t refreshes_sent, refreshes_received, refreshes_failed;
	tick_t refresh_tk, expiry_tk, last_refresh_ok_tk, last_proof_tk;
	uint64_t agent; // hash of the peer's User-Agent or Server; 0 = unknown
	bool refresh_pending;
	uint8_t negotiated_by, holds;
	struct flow flow;
	uint16_t call_id_len, local_len, remote_len, target_len;
	char call_id[128], local[160], remote[160], target[160]; // cut to fit
};

struct call_view {
	uint32_t call, gen;
	uint8_t state; // enum call_state
	tick_t start_tk, ringing_tk, answer_tk;
	struct leg_view legs[2];
};

// 0, or -ENOENT if the index holds no call, -EAGAIN if it changed while it was read (try again).
int engine_view(const struct engine *e, uint32_t call, struct call_view *view);
// Index of the call one of whose legs has this Call-ID; POOL_NONE if there is none.
uint32_t engine_find(const struct engine *e, struct slice call_id);
uint32_t engine_calls_max(const struct engine *e);
