#include "chain/contract_error.h"

#include "base/codec.h"
#include "base/keccak.h"

enum { SELECTOR_SIZE = 4, SELECTOR_TEXT = 2 + 2 * SELECTOR_SIZE };

static const struct contract_error {
	const char *signature, *words;
} errors[] = {
	/* Escrow, and what is collected from it */
	{ "NotAccepted(address)",
	  "the escrow takes no deposits of this token now; choose another with --token" },
	{ "NothingDeposited()",
	  "nothing of this token is in the escrow; see `kaisar escrow show`" },
	{ "Leaving(uint64)",
	  "this wallet has asked to leave the escrow; take that back with `kaisar escrow stay`, or "
	  "wait and take the deposit out with `kaisar escrow exit`" },
	{ "NotLeaving()",
	  "this wallet has not asked to leave the escrow; do so with `kaisar escrow leave`" },
	{ "TooEarly(uint64)",
	  "the delay of leaving is not over; `kaisar escrow show` says until when" },
	{ "NothingOwed()", "nothing is owed to this wallet: it was collected already" },
	{ "InexactTransfer(uint256,uint256)",
	  "the token moved another amount than it was told to; such a token cannot be used here" },
	/* Registry */
	{ "AlreadyRegistered(address)",
	  "the machine is registered already; its owner takes it out first" },
	{ "NotRegistered(address)", "the machine is not registered" },
	{ "NotTheOwner(address)",
	  "the machine is registered with another wallet; name that one with --wallet" },
	{ "ConsentExpired(uint256)",
	  "the machine's consent is over; make it anew with `kaisar worker consent`, or `kaisar "
	  "checker consent`" },
	{ "WrongConsent(address)", "the machine's consent does not fit any more, for another was "
				   "used meanwhile; make it anew "
				   "with `kaisar worker consent`, or `kaisar checker consent`" },
	{ "FeeTooHigh(uint256,uint256)", "the fee has risen meanwhile; run the command again, with "
					 "a higher --max-fee if you named "
					 "one" },
	{ "WrongPayment(uint256,uint256)", "the fee has changed meanwhile; run the command again" },
	/* Sale */
	{ "UnknownRound(uint256)", "there is no such round; see `kaisar licence rounds`" },
	{ "NotOpen(uint256)", "the round is not open now; see `kaisar licence rounds`" },
	{ "RoundSoldOut(uint256)", "the round is sold out; see `kaisar licence rounds`" },
	{ "SoldOut()", "all licences are sold" },
	{ "BadQuantity()", "so many licences cannot be bought at once; order 1 to 50" },
	{ "AlreadyOrdered(bytes32)",
	  "this order was carried out already; see `kaisar licence list` before you order again" },
	{ "NotSoldFor(address)",
	  "licences are not sold for this token now; see `kaisar licence rounds`" },
	{ "PriceTooHigh(uint256,uint256)",
	  "the price has risen above the highest that you pay; see `kaisar licence rounds`" },
	{ "NotWhitelisted(address)", "this wallet is not on the round's list" },
	{ "SelfReferral()", "nobody refers themselves; name another referrer, or none" },
	{ "ReferrerWithoutLicence(address)",
	  "the referrer has no licence any more; name another, or none" },
	{ "Underpaid(uint256,uint256)", "the price has risen meanwhile; run the command again" },
	/* Licence */
	{ "Locked(uint256,uint256)",
	  "the licence cannot be given away yet; `kaisar licence list` says until when" },
	{ "NotTheLicenceOwner(uint256)",
	  "the licence is another wallet's; name the owner's with --wallet" },
	{ "NotAChecker(address)",
	  "the machine is not registered as a checker; its owner runs `kaisar checker register`" },
	{ "NotTheOperator(address)",
	  "the checker is registered with another wallet; name that one with --wallet" },
	{ "NotProposed(uint256,address)", "the licence is not proposed to this checker any more; "
					  "see `kaisar checker delegations`" },
	{ "NotDelegated(uint256)", "the licence is not delegated; see `kaisar licence list`" },
	/* Distributor, and what is unlocked */
	{ "WrongProof()",
	  "another root has taken effect meanwhile, or has not yet; run the command again" },
	{ "NothingToClaim()", "all of it was paid already; see `kaisar rewards show`" },
	{ "TotalExceeded()",
	  "the contract has paid all that its root allows; tell the network's operators" },
	{ "NothingToRelease(uint256)",
	  "nothing has become free since; see `kaisar rewards grants`" },
	{ "TooLittle()", "it is too little to be paid out; give up more" },
	{ "NotTransferable()",
	  "vKAI cannot be given to others; unlock it with `kaisar rewards unlock`" },
	/* of the tokens */
	{ "ERC20InsufficientBalance(address,uint256,uint256)",
	  "the wallet has too little of the token by now; send it some" },
	{ "ERC20InsufficientAllowance(address,uint256,uint256)",
	  "what the wallet allowed was used meanwhile; run the command again" },
};

static bool is_error(const struct contract_error *error, const uint8_t selector[SELECTOR_SIZE])
{
	uint8_t hash[32];

	keccak256(error->signature, strlen(error->signature), hash);
	return memcmp(hash, selector, SELECTOR_SIZE) == 0;
}

const char *contract_error_words(const char *message)
{
	size_t len = strlen(message);
	uint8_t selector[SELECTOR_SIZE];
	const char *text;

	if (len < SELECTOR_TEXT)
		return NULL;
	text = message + len - SELECTOR_TEXT;
	if (memcmp(text, "0x", 2) != 0 ||
	    hex_decode(text + 2, SELECTOR_TEXT - 2, selector, sizeof(selector)) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(errors); i++)
		if (is_error(&errors[i], selector))
			return errors[i].words;
	return NULL;
}
