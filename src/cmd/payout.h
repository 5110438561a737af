/* payout.h - what accounts do about their rewards on the chain: claim what a root in effect names, give vKAI up for KAI
 * over time, and release what of it has become free. Each is a whole command. */
#pragma once

int payout_claim(int argc, char **argv);
int payout_unlock(int argc, char **argv);
int payout_grants(int argc, char **argv);
int payout_release(int argc, char **argv);
