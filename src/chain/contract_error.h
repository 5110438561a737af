/* contract_error.h - the errors that the network's contracts (contracts/src) and their tokens end a person's call with, in
 * words and with the remedy. Commands look first, so these are met when another transaction came between. */
#pragma once

#include "base/base.h"

/* @message: what an endpoint said, which ends with "0x" and the error's four bytes (chain/rpc.h). NULL: none of ours. */
const char *contract_error_words(const char *message);
