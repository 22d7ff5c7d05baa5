// SPDX-License-Identifier: BSD-3-Clause
// What verge answers and asks for itself: OPTIONS (RFC 3261 s11), and credentials for challenges
// (RFC 7616). Thread: the owning worker.
#include "b2bua/compose.h"
#include "b2bua/manipulate.h"
#include "b2bua/midcall.h"
#include "b2bua/setup.h"
#include "b2bua/txn.h"
#include "dialog/dialog.h"
#include "sip/digest.h"

// --- OPTIONS to us

unsigned local_options(struct engine *e, struct inbound *in)
{
	uint8_t room[512];
	struct outbuf o = outbuf_of(room, sizeof(room));
	struct leg leg = {.trunk = in->trunk, .kept = e->config->kept, .flags = LEG_PROBE};
	uint32_t options = SIP_OPTION_BIT(REL100) | SIP_OPTION_BIT(REPLACES);
	struct st_policy policy;

	if (in->rx->class.unknown_required)
		return refuse_unsupported(e, in);
	leg_read_policy(e, &leg, &policy);
	if (policy.mode != ST_MODE_OFF)
		options |= SIP_OPTION_BIT(TIMER);
	outbuf_put_slice(&o, compose_allow_line());
	sip_build_header(&o, SIP_H_ACCEPT, SLICE_LIT("application/sdp"));
	sip_build_options(&o, SIP_H_SUPPORTED, options);
	sip_build_contact(&o, SLICE_NONE, &in->rx->flow);
	(void)reply_plain(e, in,
			  in->rx->class.unknown_required ? 420
			  : e->stopping			 ? 503
							 : 200,
			  outbuf_slice(&o));
	return VERDICT_SIP_HANDLED;
}

// --- OPTIONS of ours

static void ping_put(struct engine *e, struct outbuf *o, const struct txn *t)
{
	uint8_t room[TOKEN_CALL_ID_LEN];
	struct outbuf branch = outbuf_of(room, sizeof(room));

	outbuf_put_lit(o, "OPTIONS sip:");
	sip_build_host_port(o, t->flow.peer_ip, t->flow.family, t->flow.peer_udp);
	outbuf_put_lit(o, " SIP/2.0\r\n");
	txn_put_branch(e, &branch, t);
	sip_build_via(o, &t->flow, outbuf_slice(&branch));
	sip_build_header_u32(o, SIP_H_MAX_FORWARDS, 70);
	outbuf_put_lit(o, "From: <");
	compose_own_uri(o, &t->flow);
	outbuf_put_lit(o, ">;tag=");
	token_put(o, e->p.key, TOKEN_TAG, (uint64_t)t->gen << 32 | UINT32_MAX);
	outbuf_put_lit(o, "\r\nTo: <sip:");
	sip_build_host_port(o, t->flow.peer_ip, t->flow.family, t->flow.peer_udp);
	outbuf_put_lit(o, ">\r\nCall-ID: ");
	token_put_call_id(o, e->p.key, e->p.worker, (uint64_t)t->gen << 32 | txn_index(e, t));
	outbuf_put_lit(o, "\r\n");
	sip_build_cseq(o, t->cseq, SLICE_LIT("OPTIONS"));
	sip_build_contact(o, SLICE_NONE, &t->flow);
	sip_build_header(o, SIP_H_ACCEPT, SLICE_LIT("application/sdp"));
	if (e->config->trunks[t->trunk].timer.mode != CONFIG_TIMER_MODE_OFF)
		sip_build_options(o, SIP_H_SUPPORTED, SIP_OPTION_BIT(TIMER));
	outbuf_put_lit(o, "Content-Length: 0\r\n\r\n");
}

static bool ping_aim(const struct engine *e, struct flow *flow, uint16_t trunk, unsigned peer)
{
	const struct config_trunk *to = &e->config->trunks[trunk];
	const struct config_port *port = &e->config->ports[to->port];
	const struct config_endpoint *at;
	const struct config_net *own;

	if (peer >= to->peers.n)
		return false;
	at = &to->peers.list[peer];
	own = config_port_address(port, at->ip.family);
	if (own == NULL)
		return false;
	*flow = (struct flow){.port = (uint8_t)to->port,
			      .family = at->ip.family,
			      .local_udp = (uint16_t)port->sip_port,
			      .peer_udp = at->udp};
	memcpy(flow->local_ip, own->ip.bytes, sizeof(flow->local_ip));
	memcpy(flow->peer_ip, at->ip.bytes, sizeof(flow->peer_ip));
	return true;
}

void ping_order(struct engine *e, const struct order *order)
{
	struct txn *t;
	struct outbuf o;

	if (order->trunk >= e->config->n_trunks)
		return;
	t = txn_new_client(e, SIP_OPTIONS, TXN_PING, POOL_NONE, order->ping.peer);
	if (t == NULL)
		return;
	t->trunk = order->trunk;
	t->cseq = 1;
	if (ping_aim(e, &t->flow, order->trunk, order->ping.peer))
		t->sent = buf_get(e, 1024);
	if (t->sent == NULL) {
		txn_free(e, t);
		return;
	}
	o = outbuf_of(t->sent->data, t->sent->cap);
	ping_put(e, &o, t);
	t->sent->len = o.len;
	t->sent = manipulate_plain(e, t->sent, t->trunk);
	txn_start(e, t);
}

void keepalive_order(struct engine *e, const struct order *order)
{
	static const char crlf[] = {'\r', '\n', '\r', '\n'}; // RFC 5626 s3.5.1
	struct send *send = &e->out.sends[e->out.n_sends];
	struct sip_buf *b;

	if (order->trunk >= e->config->n_trunks || e->out.n_sends == OUTBOX_SENDS ||
	    !ping_aim(e, &send->flow, order->trunk, order->ping.peer))
		return;
	b = e->p.ops->buf_get(e->p.ops_ctx, sizeof(crlf));
	if (b == NULL)
		return;
	memcpy(b->data, crlf, sizeof(crlf));
	b->len = sizeof(crlf);
	send->buf = b; // its only reference is the shell's
	send->about = (struct msg_about){POOL_NONE, 0, order->trunk, SIDE_A};
	send->again = false;
	e->out.n_sends++;
	stat_add(&e->p.trunk_stats[order->trunk].keepalives, 1);
}

void ping_response(struct engine *e, struct txn *t, uint16_t code)
{
	struct event *v;

	if (code != 0 && code < 200)
		return;
	v = engine_event(e, EVENT_PING_DONE, POOL_NONE, 0);
	v->trunk = t->trunk;
	v->ping_done.code = code;
	v->ping_done.peer = t->side;
	v->ping_done.rtt_us = code != 0 ? (uint32_t)(e->now - t->started_tk) : 0;
}

// --- credentials

static bool authorize_put(struct engine *e, struct outbuf *o, const struct txn *t,
			  const struct sip_digest_challenge *challenge, bool proxy, uint32_t nc)
{
	const struct config_credentials *own = &e->config->trunks[t->trunk].credentials;
	const struct leg_text *text = t->text;
	uint8_t room[TOKEN_LEN];
	struct outbuf cnonce = outbuf_of(room, sizeof(room));
	struct sip_digest_request request = {
		.username = slice_of_str(own->username),
		.password = slice_of_str(own->password),
		.method = sip_method_token((enum sip_method)t->method),
		.nc = nc,
	};

	if (text == NULL && txn_call(e, t) != NULL)
		text = leg_text_of(engine_leg(e, t->call, t->side));
	if (request.username.len == 0 || e->p.ops->hash == NULL || text == NULL)
		return false;
	if (own->realm[0] != '\0' && !slice_eq(slice_of_str(own->realm), challenge->realm))
		return false;
	token_put(&cnonce, e->p.key, TOKEN_TAG, (uint64_t)t->gen << 32 ^ e->now);
	request.cnonce = outbuf_slice(&cnonce);
	request.uri = dialog_route(leg_text_part(text, LEG_TEXT_TARGET),
				   leg_text_part(text, LEG_TEXT_ROUTES))
			      .request_uri;
	outbuf_put_slice(o,
			 sip_header_name(proxy ? SIP_H_PROXY_AUTHORIZATION : SIP_H_AUTHORIZATION));
	outbuf_put_lit(o, ": ");
	if (sip_digest_build(o, challenge, &request, e->p.ops->hash) != 0)
		return false;
	outbuf_put_lit(o, "\r\n");
	return !o->full;
}

static bool authorize_choose(const struct sip_msg *response, struct sip_digest_challenge *challenge)
{
	return sip_digest_choose(response,
				 response->status == 407 ? SIP_H_PROXY_AUTHENTICATE
							 : SIP_H_WWW_AUTHENTICATE,
				 challenge) == 0;
}

bool authorize(struct engine *e, struct outbuf *o, const struct txn *t,
	       const struct sip_msg *response)
{
	struct sip_digest_challenge challenge;

	if (!authorize_choose(response, &challenge))
		return false;
	if (t->tries != 0 && !(challenge.stale && t->tries == 1))
		return false; // the same password again: it was wrong
	return authorize_put(e, o, t, &challenge, response->status == 407, 1);
}

static void challenge_put(struct outbuf *o, const struct sip_digest_challenge *c, bool proxy)
{
	static const char *const algorithms[] = {
		[SIP_DIGEST_MD5] = "MD5",
		[SIP_DIGEST_MD5_SESS] = "MD5-sess",
		[SIP_DIGEST_SHA256] = "SHA-256",
		[SIP_DIGEST_SHA256_SESS] = "SHA-256-sess",
	};

	outbuf_put_char(o, proxy ? 'P' : 'W');
	outbuf_put_lit(o, "Digest realm=\"");
	outbuf_put_slice(o, c->realm);
	outbuf_put_lit(o, "\", nonce=\"");
	outbuf_put_slice(o, c->nonce);
	if (c->opaque.p != NULL) {
		outbuf_put_lit(o, "\", opaque=\"");
		outbuf_put_slice(o, c->opaque);
	}
	outbuf_put_lit(o, "\", algorithm=");
	outbuf_put_str(o, algorithms[c->algorithm]);
	if (c->qop_auth)
		outbuf_put_lit(o, ", qop=\"auth\"");
}

void authorize_keep(struct engine *e, const struct txn *t, const struct sip_msg *response)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct sip_digest_challenge challenge;
	uint8_t room[AUTHORIZE_ROOM];
	struct outbuf o = outbuf_of(room, sizeof(room));
	struct leg_text_parts parts;
	struct leg_text *text;

	if (!authorize_choose(response, &challenge) || challenge.algorithm >= SIP_DIGEST_UNKNOWN)
		return;
	challenge_put(&o, &challenge, response->status == 407);
	leg_text_read(leg_text_of(leg), &parts);
	parts.part[LEG_TEXT_CHALLENGE] = outbuf_slice(&o);
	text = o.full ? NULL : text_new(e, &parts);
	leg->auth_nc = 0;
	if (text == NULL)
		return; // too long, or no memory: the next refresh is challenged again
	leg->auth_nc = 1;
	leg_set_text(e, leg, text);
}

bool authorize_known(struct engine *e, struct outbuf *o, const struct txn *t)
{
	struct leg *leg = engine_leg(e, t->call, t->side);
	struct slice kept = leg_text_part(leg_text_of(leg), LEG_TEXT_CHALLENGE);
	struct slice value = slice_from(kept, 1);
	struct sip_digest_challenge challenge;

	if (leg->auth_nc == 0 || kept.len == 0 || sip_digest_take(&value, &challenge) != 0)
		return false;
	leg->auth_nc++; // after 255 uses a new challenge is waited for
	return leg->auth_nc != 0 &&
	       authorize_put(e, o, t, &challenge, kept.p[0] == 'P', leg->auth_nc);
}
