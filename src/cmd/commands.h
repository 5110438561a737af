/* commands.h - the subcommands' entry points: main.c's table, one composition root each. argv[0] is the
 * subcommand's own name. They return the exit status: 0 done, 1 failed, 2 usage, 3 not found, 4 no
 * capacity, 5 balance, 6 time-out, 7 denied. */
#pragma once

int cmd_admin(int argc, char **argv);
int cmd_anchor(int argc, char **argv);
int cmd_audit(int argc, char **argv);
int cmd_balance(int argc, char **argv);
int cmd_bill(int argc, char **argv);
int cmd_checker(int argc, char **argv);
int cmd_collect(int argc, char **argv);
int cmd_deposit(int argc, char **argv);
int cmd_deposits(int argc, char **argv);
int cmd_escrow(int argc, char **argv);
int cmd_exec(int argc, char **argv);
int cmd_inspect(int argc, char **argv);
int cmd_licence(int argc, char **argv);
int cmd_login(int argc, char **argv);
int cmd_logout(int argc, char **argv);
int cmd_logs(int argc, char **argv);
int cmd_migrate(int argc, char **argv);
int cmd_popw(int argc, char **argv);
int cmd_ps(int argc, char **argv);
int cmd_rewards(int argc, char **argv);
int cmd_rm(int argc, char **argv);
int cmd_run(int argc, char **argv);
int cmd_search(int argc, char **argv);
int cmd_server(int argc, char **argv);
int cmd_signer(int argc, char **argv);
int cmd_statement(int argc, char **argv);
int cmd_stats(int argc, char **argv);
int cmd_stop(int argc, char **argv);
int cmd_verify_bill(int argc, char **argv);
int cmd_vpn(int argc, char **argv);
int cmd_wallet(int argc, char **argv);
int cmd_withdraw(int argc, char **argv);
int cmd_withdrawals(int argc, char **argv);
int cmd_worker(int argc, char **argv);
