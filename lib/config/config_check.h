// SPDX-License-Identifier: BSD-3-Clause
// What makes no sense although each value by itself is right. Private to lib/config.
// Control thread. Adds findings with the line of the value that has to change.
#pragma once

#include "config/config_read.h"

void config_check(const struct config_loader *l);
// By topic; config_check() calls them.
void config_check_system(const struct config_loader *l);
void config_check_ports(const struct config_loader *l);
void config_check_timers(const struct config_loader *l);
void config_check_trunks(const struct config_loader *l);
void config_check_routes(const struct config_loader *l);
