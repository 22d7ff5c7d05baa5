// SPDX-License-Identifier: BSD-3-Clause
// `verge replay`: the command. One thread.
#pragma once

// argv[0] is "replay". Returns the exit status: 0 done, 1 failed, 2 usage.
int replay_main(int argc, char **argv);
