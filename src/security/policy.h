/* policy.h - who may do what: permissions, which routes need, and roles, which grant them. Pure
 * tables; iam stores the roles, api asks policy_allows. */
#pragma once

#include "base/base.h"

/* What a route needs. A set of them is a uint32_t with bit 1 << enum permission. */
enum permission {
	PERM_UNSET, /* refuses to start */
	PERM_PUBLIC, /* anybody */
	PERM_ACCOUNT, /* any signed-in account, about itself */
	PERM_RENTAL_READ,
	PERM_RENTAL_WRITE,
	PERM_BILLING_READ,
	PERM_WORKER_READ,
	PERM_WORKER_WRITE,
	PERM_OPERATOR,
	PERM_TICKET, /* granted by no role or key: see iam_ticket */
};

/* Stored as its word. A set of roles is a uint32_t with bit 1 << enum role. */
enum role {
	ROLE_TENANT,
	ROLE_PROVIDER,
	ROLE_CHECKER,
	ROLE_OPERATOR,
};

/* What a new account gets. */
#define ROLES_OF_NEW_ACCOUNT (1u << ROLE_TENANT | 1u << ROLE_PROVIDER)

/* "tenant", "provider", "checker", "operator", NULL: in enum role's order, fit for FIELD_WORD. */
extern const char *const role_words[];

/* "rental.read"; NULL for PERM_UNSET and PERM_PUBLIC, which nobody grants. */
const char *permission_word(enum permission permission);
_must_check_ int permission_parse(const char *word, enum permission *ret_permission);
_must_check_ int role_parse(const char *word, enum role *ret_role);

/* All that the set @roles grants, as a set of permissions. */
uint32_t policy_permissions(uint32_t roles);

/* Whether who holds @permissions may do what needs @permission. PERM_PUBLIC: anybody;
 * PERM_UNSET: nobody. */
bool policy_allows(uint32_t permissions, enum permission permission);
