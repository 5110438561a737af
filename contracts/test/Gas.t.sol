// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Tree} from "./lib/Tree.sol";
import {World} from "./lib/World.sol";
import {Anchor} from "../src/Anchor.sol";
import {Distributor} from "../src/Distributor.sol";
import {Escrow} from "../src/Escrow.sol";
import {Sale} from "../src/Sale.sol";
import {Token} from "../src/Token.sol";

/// @notice What the calls cost that people and the network make often; .gas-snapshot holds the figures.
contract GasTest is World {
    address private constant ANN = address(0xA0);
    address private constant BEN = address(0xB0);
    address private constant TENANT = address(0x11);
    Anchor private anchor;
    Escrow private escrow;
    Distributor private distributor;
    address private machine;
    bytes32[] private proof;
    Sale.Order private referred;
    Escrow.Settlement[] private first;
    Escrow.Settlement[] private second;

    function setUp() public override {
        super.setUp();
        anchor = new Anchor();
        anchor.anchor(1, Anchor.Kind.Proofs, "a", 7, "b");
        buyOne(ANN);
        machine = registerChecker(0xC1, BEN);
        setUpEscrow();
        setUpDistributor();
        referred = order("1", 1);
        referred.referrer = ANN;
        vm.deal(BEN, PRICE);
    }

    function setUpEscrow() private {
        address[] memory tokens = new address[](1);
        uint256[] memory limits = new uint256[](1);
        (tokens[0], limits[0]) = (address(coin), 1e12);
        escrow = new Escrow(
            ADMINISTRATOR, TREASURY, address(this), address(0), 7 days, 3000, tokens, limits
        );
        coin.mint(TENANT, 1e9);
        vm.startPrank(TENANT);
        coin.approve(address(escrow), 1e9);
        escrow.deposit(address(coin), TENANT, 1e8);
        vm.stopPrank();
        for (uint160 i = 0; i < 10; i++) {
            first.push(Escrow.Settlement(TENANT, address(0x200 + i), 100, 5));
            second.push(Escrow.Settlement(TENANT, address(0x200 + i), 200, 10));
        }
        escrow.settle(address(coin), first);
    }

    function setUpDistributor() private {
        Token token = new Token(1e24, address(this));
        distributor = new Distributor(ADMINISTRATOR, token, address(this), address(this), 1);
        token.approve(address(distributor), 1e24);
        distributor.fund(Distributor.Kind.Liquid, 1e24);
        // One path of twenty levels, as in a tree of a million leaves.
        bytes32 root = distributor.leaf(Distributor.Kind.Liquid, ANN, 1e18);
        for (uint256 i = 0; i < 20; i++) {
            bytes32[] memory pair = new bytes32[](2);
            (pair[0], pair[1]) = (root, keccak256(abi.encode(i)));
            proof.push(pair[1]);
            root = Tree.root(pair);
        }
        distributor.propose(Distributor.Kind.Liquid, 1, root, 1e24);
        vm.warp(block.timestamp + 1);
        distributor.activate(Distributor.Kind.Liquid);
    }

    function test_anchor() public {
        anchor.anchor(2, Anchor.Kind.Proofs, "b", 7, "c");
    }

    function test_claim_of_a_million() public {
        distributor.claim(Distributor.Kind.Liquid, ANN, 1e18, proof);
    }

    function test_buy_referred() public {
        vm.prank(BEN);
        sale.buy{value: 0.208 ether}(referred);
    }

    function test_delegate() public {
        vm.prank(ANN);
        licence.delegate(1, machine);
    }

    function test_deposit() public {
        vm.prank(TENANT);
        escrow.deposit(address(coin), TENANT, 1e8);
    }

    function test_settle_ten() public {
        escrow.settle(address(coin), second);
    }
}
