/* instances.h - what people and gateways see of the instances: who is there, and who has which duty. */
#pragma once

#include "api/route.h"

struct ready_query {
	const char *duty; /* "": none */
};
extern const struct field ready_fields[];

/* GET /readyz: the store answers, and this instance has ?duty=, where one is named. API_E_ELSEWHERE. */
int get_ready(struct request *request, struct tx *tx, struct reply *reply);

/* GET /v1/admin/instances */
int get_instances(struct request *request, struct tx *tx, struct reply *reply);

/* Whose store this is: written by the first instance, held against @network by all others. @ret_other: the store's, where
 * the result is API_E_ELSEWHERE, that of another network. */
_must_check_ int instances_check_network(struct db *db, struct address network,
					 struct address *ret_other);

enum api_outcome { API_E_ELSEWHERE = ROUTE_E_MODULE };
extern const struct outcome_row api_outcomes[];
