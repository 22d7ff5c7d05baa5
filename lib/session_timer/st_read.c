// SPDX-License-Identifier: BSD-3-Clause
// What a message says about session timers (RFC 4028 s4, s5; INTEROP P7, P25).
// Pure; any thread.
#include "session_timer/st_leg.h"
#include "sip/list.h"
#include "sip/numbers.h"

#include <errno.h>

static void st_read_interval(struct st_seen *seen, const struct sip_msg *m)
{
	struct sip_session_expires se;
	int rc = sip_session_expires_of(m, &se);

	if (rc == -ENOENT)
		return;
	if (rc != 0) { // garbage, or more than 2^32 s: as if it were not there
		seen->bad = true;
		return;
	}
	seen->has_se = true;
	seen->se_s = se.seconds;
	seen->bad |= se.seconds < ST_FLOOR_S; // ST-03
	switch ((enum sip_refresher)se.refresher) {
	case SIP_REFRESHER_UAC:
		seen->refresher = ST_REFRESHER_UAC;
		break;
	case SIP_REFRESHER_UAS:
		seen->refresher = ST_REFRESHER_UAS;
		break;
	case SIP_REFRESHER_OTHER:
		seen->bad = true;
		break;
	case SIP_REFRESHER_NONE:
		break;
	}
}

static void st_read_min(struct st_seen *seen, const struct sip_msg *m)
{
	uint32_t seconds;
	int rc = sip_min_se_of(m, &seconds);

	if (rc == -ENOENT)
		return;
	if (rc != 0) {
		seen->bad = true;
		return;
	}
	seen->bad |= seconds < ST_FLOOR_S || (seen->has_se && seen->se_s < seconds);
	seen->min_se_s = st_max(seconds, ST_FLOOR_S);
}

void st_read_listed(struct st_seen *seen, const struct sip_msg *m, uint32_t supported,
		    uint32_t required, uint32_t allow)
{
	*seen = (struct st_seen){
		.has_allow = sip_msg_has(m, SIP_H_ALLOW),
		.allow = allow,
		.supported = (supported & SIP_OPTION_BIT(TIMER)) != 0,
		.required = (required & SIP_OPTION_BIT(TIMER)) != 0,
	};
	st_read_interval(seen, m);
	st_read_min(seen, m);
}

void st_read(struct st_seen *seen, const struct sip_msg *m)
{
	st_read_listed(seen, m, sip_list_options(m, SIP_H_SUPPORTED).bits,
		       sip_list_options(m, SIP_H_REQUIRE).bits,
		       sip_msg_has(m, SIP_H_ALLOW) ? sip_list_methods(m, SIP_H_ALLOW) : 0);
}
