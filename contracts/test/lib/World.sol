// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Test} from "./Test.sol";
import {MuteCoin} from "./Coins.sol";
import {Licence} from "../../src/Licence.sol";
import {Registry} from "../../src/Registry.sol";
import {Sale} from "../../src/Sale.sol";

/// @notice A sale that is open, its licences, and a registry to delegate them in.
abstract contract World is Test {
    address internal constant ADMINISTRATOR = address(0xAD);
    address internal constant TREASURY = address(0x7E);
    uint256 internal constant PRICE = 0.26 ether;
    uint256 internal constant TOKEN_PRICE = 800e6;
    uint256 internal constant CAP = 60;
    uint256 internal constant NOW = 1_000_000;
    MuteCoin internal coin;
    Registry internal registry;
    Sale internal sale;
    Licence internal licence;

    function setUp() public virtual {
        vm.warp(NOW);
        coin = new MuteCoin();
        registry = new Registry(ADMINISTRATOR, address(0), TREASURY, 0, 0);
        Sale.Round[] memory rounds = new Sale.Round[](2);
        rounds[0] =
            Sale.Round(PRICE, TOKEN_PRICE, uint64(NOW), uint64(NOW + 1 days), 10, 0, 2000, 2000, 0);
        rounds[1] =
            Sale.Round(PRICE, 0, uint64(NOW + 1 days), uint64(NOW + 9 days), 100, 0, 0, 500, 0);
        sale =
            new Sale(ADMINISTRATOR, TREASURY, address(coin), registry, CAP, 365 days, 1000, rounds);
        licence = sale.licence();
    }

    function order(bytes32 key, uint32 quantity) internal pure returns (Sale.Order memory) {
        return Sale.Order(key, 0, quantity, address(0), PRICE, address(0), new bytes32[](0));
    }

    function buy(address buyer, Sale.Order memory it, uint256 value) internal returns (uint32) {
        vm.deal(buyer, buyer.balance + value);
        vm.prank(buyer);
        return sale.buy{value: value}(it);
    }

    function buyOne(address buyer) internal returns (uint256 id) {
        Sale.Order memory it = order(keccak256(abi.encode(buyer, licence.minted())), 1);
        if (block.timestamp >= NOW + 1 days) it.round = 1;
        buy(buyer, it, PRICE);
        return licence.minted();
    }

    function registerChecker(uint256 key, address operator) internal returns (address machine) {
        machine = vm.addr(key);
        bytes memory consent = signature(
            key,
            registry.consentDigest(Registry.Kind.Checker, machine, operator, "s", block.timestamp)
        );
        vm.prank(operator);
        registry.register(Registry.Kind.Checker, machine, "s", block.timestamp, consent, 0);
    }
}
