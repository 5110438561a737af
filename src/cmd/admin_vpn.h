/* admin_vpn.h - `kaisar admin vpn`: who is in the mesh VPN. */
#pragma once

int admin_vpn(int argc, char **argv);
