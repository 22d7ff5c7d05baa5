// SPDX-License-Identifier: BSD-3-Clause
// See privileges.h. Source: capabilities(7), "Effect of user ID changes on capabilities".
#include "control/privileges.h"

#include <errno.h>
#include <grp.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <unistd.h>

// Of the calling thread. text: as in cap_text_formats(7).
static int set_capabilities(const char *text)
{
	cap_t caps = cap_from_text(text);
	int rc = caps != NULL && cap_set_proc(caps) == 0 ? 0 : -errno;

	cap_free(caps);
	return rc;
}

static bool has_xdp(const struct config *config)
{
	for (uint32_t i = 0; i < config->n_ports; i++)
		if (strncmp(config->ports[i].device, "net_af_xdp", 10) == 0)
			return true;
	return false;
}

void privileges_at_start(void)
{
	(void)prctl(PR_SET_NO_NEW_PRIVS, 1UL, 0UL, 0UL, 0UL);
}

static int become(const struct passwd *user, bool keep)
{
	// Of this thread only: the others lose all by setuid(), which glibc lets each of them do.
	if (keep && prctl(PR_SET_KEEPCAPS, 1UL, 0UL, 0UL, 0UL) != 0)
		return -errno;
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0)
		return -errno;
	return set_capabilities(keep ? "cap_net_admin=p" : "=");
}

int privileges_drop(const struct passwd *user, const struct config *config, struct log *log)
{
	int rc;

	if (user == NULL)
		return 0;
	rc = become(user, has_xdp(config));
	if (rc != 0) {
		log_event(log, CONTROL_ERROR, "start", "user_failed user=%s error=\"%s\"",
			  user->pw_name, strerrordesc_np(-rc));
		return rc;
	}
	log_event(log, CONTROL_INFO, "start", "became user=%s", user->pw_name);
	return 0;
}

void privileges_for_stop(void)
{
	// fails where nothing was kept, which is as good
	if (geteuid() != 0)
		(void)set_capabilities("cap_net_admin=ep");
}

void privileges_explain(struct log *log)
{
	if (geteuid() != 0)
		log_event(log, CONTROL_ERROR, "start",
			  "not_root uid=%u needs=\"CAP_NET_RAW for net_af_packet; CAP_NET_ADMIN, "
			  "CAP_NET_RAW and CAP_BPF for net_af_xdp; /dev/vfio for PCI\" "
			  "else=\"start as root with system.user\"",
			  (unsigned)geteuid());
}
