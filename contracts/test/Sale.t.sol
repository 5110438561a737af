// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ReenteringReceiver} from "./lib/Coins.sol";
import {Tree} from "./lib/Tree.sol";
import {World} from "./lib/World.sol";
import {PullPayments} from "../src/PullPayments.sol";
import {Sale} from "../src/Sale.sol";

contract SaleTest is World {
    address private constant ANN = address(0xA0);
    address private constant BEN = address(0xB0);

    function test_a_purchase_makes_licences_and_the_treasury_is_owed() public {
        vm.assertEq(buy(ANN, order("1", 3), 3 * PRICE), 3);
        vm.assertEq(licence.balanceOf(ANN), 3);
        vm.assertEq(sale.owed(address(0), TREASURY), 3 * PRICE);
        vm.assertEq(sale.roundOf(0).sold, 3);
        vm.assertEq(licence.licenceOf(keccak256(abi.encode(ANN, bytes32("1"), uint32(2)))), 3);
    }

    function test_a_repeated_order_buys_nothing() public {
        buy(ANN, order("1", 1), PRICE);
        vm.deal(ANN, PRICE);
        vm.prank(ANN);
        vm.expectRevert(abi.encodeWithSelector(Sale.AlreadyOrdered.selector, bytes32("1")));
        sale.buy{value: PRICE}(order("1", 1));
        buy(BEN, order("1", 1), PRICE);
    }

    function test_what_was_paid_too_much_is_owed_back() public {
        buy(ANN, order("1", 1), PRICE + 5);
        vm.assertEq(sale.owed(address(0), ANN), 5);
        vm.prank(ANN);
        sale.withdraw(address(0), address(0xF00D));
        vm.assertEq(address(0xF00D).balance, 5);
        vm.prank(ANN);
        vm.expectRevert(PullPayments.NothingOwed.selector);
        sale.withdraw(address(0), ANN);
    }

    function test_an_order_that_sells_out_gets_the_rest_and_its_money_back() public {
        buy(ANN, order("1", 8), 8 * PRICE);
        vm.assertEq(buy(BEN, order("2", 5), 5 * PRICE), 2);
        vm.assertEq(sale.owed(address(0), BEN), 3 * PRICE);
        vm.deal(BEN, PRICE);
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSelector(Sale.RoundSoldOut.selector, 0));
        sale.buy{value: PRICE}(order("3", 1));
    }

    function test_the_licences_cap_ends_every_round() public {
        vm.warp(NOW + 1 days);
        Sale.Order memory it = order("1", 50);
        it.round = 1;
        buy(ANN, it, 50 * PRICE);
        it.key = "2";
        vm.assertEq(buy(ANN, it, 50 * PRICE), 10);
        it.key = "3";
        vm.prank(ANN);
        vm.expectRevert(abi.encodeWithSelector(Sale.RoundSoldOut.selector, 1));
        sale.buy(it);
    }

    function test_rounds_have_their_time() public {
        vm.warp(NOW - 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.NotOpen.selector, 0));
        sale.buy(order("1", 1));
        vm.warp(NOW + 1 days);
        vm.expectRevert(abi.encodeWithSelector(Sale.NotOpen.selector, 0));
        sale.buy(order("1", 1));
        Sale.Order memory it = order("1", 1);
        it.round = 2;
        vm.expectRevert(abi.encodeWithSelector(Sale.UnknownRound.selector, 2));
        sale.buy(it);
    }

    function test_quantities_have_bounds() public {
        vm.expectRevert(Sale.BadQuantity.selector);
        sale.buy(order("1", 0));
        vm.expectRevert(Sale.BadQuantity.selector);
        sale.buy(order("1", 51));
    }

    function test_a_price_above_what_was_seen_is_refused() public {
        Sale.Order memory it = order("1", 1);
        it.maximumPrice = PRICE - 1;
        vm.expectRevert(abi.encodeWithSelector(Sale.PriceTooHigh.selector, PRICE, PRICE - 1));
        sale.buy(it);
        vm.deal(ANN, PRICE);
        vm.prank(ANN);
        vm.expectRevert(abi.encodeWithSelector(Sale.Underpaid.selector, PRICE, PRICE - 1));
        sale.buy{value: PRICE - 1}(order("1", 1));
    }

    function test_the_referred_pay_less_and_the_referrer_fetches_a_tenth() public {
        buyOne(ANN);
        Sale.Order memory it = order("1", 2);
        it.referrer = ANN;
        vm.assertEq(sale.priceOf(it, BEN), 0.208 ether);
        buy(BEN, it, 2 * 0.208 ether);
        vm.assertEq(sale.owed(address(0), ANN), 0.0416 ether);
        vm.assertEq(sale.owed(address(0), TREASURY), PRICE + 2 * 0.208 ether - 0.0416 ether);
        vm.warp(NOW + 1 days);
        it.round = 1;
        vm.assertEq(sale.priceOf(it, BEN), 0.247 ether);
    }

    /// The first time that anyone uses a referrer, and every time after it, the buyer is compared with them.
    function test_nobody_refers_themselves() public {
        Sale.Order memory it = order("1", 1);
        it.referrer = ANN;
        vm.prank(ANN);
        vm.expectRevert(Sale.SelfReferral.selector);
        sale.buy(it);
        buyOne(ANN);
        vm.prank(ANN);
        vm.expectRevert(Sale.SelfReferral.selector);
        sale.buy(it);
        buy(BEN, it, PRICE);
        vm.prank(ANN);
        vm.expectRevert(Sale.SelfReferral.selector);
        sale.buy(it);
    }

    function test_a_referrer_owns_a_licence_now() public {
        Sale.Order memory it = order("1", 1);
        it.referrer = ANN;
        vm.prank(BEN);
        vm.expectRevert(abi.encodeWithSelector(Sale.ReferrerWithoutLicence.selector, ANN));
        sale.buy(it);
    }

    function test_the_whitelisted_pay_less() public {
        bytes32[] memory leaves = new bytes32[](3);
        leaves[0] = sale.whitelistLeaf(2, ANN);
        leaves[1] = sale.whitelistLeaf(2, address(1));
        leaves[2] = sale.whitelistLeaf(2, address(2));
        Sale.Round memory round = sale.roundOf(0);
        round.start = uint64(NOW + 10);
        round.whitelist = Tree.root(leaves);
        round.referralDiscount = 500;
        vm.prank(ADMINISTRATOR);
        sale.setRound(2, round);
        Sale.Order memory it = order("1", 1);
        it.round = 2;
        vm.assertEq(sale.priceOf(it, ANN), PRICE);
        it.whitelistProof = Tree.proof(leaves, 0);
        vm.assertEq(sale.priceOf(it, ANN), 0.208 ether);
        buyOne(address(3));
        it.referrer = address(3);
        vm.assertEq(sale.priceOf(it, ANN), 0.208 ether);
        vm.expectRevert(abi.encodeWithSelector(Sale.NotWhitelisted.selector, BEN));
        sale.priceOf(it, BEN);
    }

    function test_a_whitelist_of_one_needs_no_proof() public {
        Sale.Round memory round = sale.roundOf(0);
        round.start = uint64(NOW + 10);
        round.whitelist = sale.whitelistLeaf(2, ANN);
        vm.prank(ADMINISTRATOR);
        sale.setRound(2, round);
        Sale.Order memory it = order("1", 1);
        it.round = 2;
        vm.assertEq(sale.priceOf(it, ANN), 0.208 ether);
        vm.assertEq(sale.priceOf(it, BEN), PRICE);
    }

    function test_a_stablecoin_pays_as_well() public {
        buyOne(BEN);
        coin.mint(ANN, 2 * TOKEN_PRICE);
        vm.startPrank(ANN);
        coin.approve(address(sale), 2 * TOKEN_PRICE);
        Sale.Order memory it = order("1", 2);
        it.token = address(coin);
        it.maximumPrice = TOKEN_PRICE;
        it.referrer = BEN;
        sale.buy(it);
        vm.stopPrank();
        vm.assertEq(coin.balanceOf(ANN), 2 * TOKEN_PRICE * 2000 / 10_000);
        vm.assertEq(sale.owed(address(coin), BEN), 2 * TOKEN_PRICE * 800 / 10_000);
        vm.assertEq(sale.totalOwed(address(coin)), coin.balanceOf(address(sale)));
    }

    function test_only_the_named_coins_pay() public {
        Sale.Order memory it = order("1", 1);
        it.token = address(77);
        vm.expectRevert(abi.encodeWithSelector(Sale.NotSoldFor.selector, address(77)));
        sale.buy(it);
        it.token = address(coin);
        it.maximumPrice = TOKEN_PRICE;
        vm.deal(ANN, 1);
        vm.prank(ANN);
        vm.expectRevert(abi.encodeWithSelector(Sale.NotSoldFor.selector, address(0)));
        sale.buy{value: 1}(it);
        vm.warp(NOW + 1 days);
        it.round = 1;
        vm.expectRevert(abi.encodeWithSelector(Sale.NotSoldFor.selector, address(coin)));
        sale.buy(it);
    }

    function test_a_round_changes_until_it_begins_and_ends_early() public {
        Sale.Round memory round = sale.roundOf(1);
        round.coinPrice = 1;
        vm.startPrank(ADMINISTRATOR);
        sale.setRound(1, round);
        vm.assertEq(sale.roundOf(1).coinPrice, 1);
        vm.expectRevert(abi.encodeWithSelector(Sale.RoundBegan.selector, 0));
        sale.setRound(0, round);
        vm.expectRevert(abi.encodeWithSelector(Sale.UnknownRound.selector, 3));
        sale.setRound(3, round);
        sale.endRound(0);
        vm.expectRevert(abi.encodeWithSelector(Sale.UnknownRound.selector, 2));
        sale.endRound(2);
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Sale.NotOpen.selector, 0));
        sale.buy(order("1", 1));
    }

    function test_senseless_rounds_are_refused() public {
        vm.startPrank(ADMINISTRATOR);
        Sale.Round memory round = sale.roundOf(1);
        round.end = round.start;
        vm.expectRevert(Sale.BadRound.selector);
        sale.setRound(2, round);
        round = sale.roundOf(1);
        round.referralDiscount = 10_000;
        vm.expectRevert(Sale.BadRound.selector);
        sale.setRound(2, round);
        round = sale.roundOf(1);
        round.sold = 1;
        vm.expectRevert(Sale.BadRound.selector);
        sale.setRound(2, round);
    }

    function test_only_the_administrator_changes_rounds() public {
        Sale.Round memory round = sale.roundOf(1);
        bytes memory denied =
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this));
        vm.expectRevert(denied);
        sale.setRound(1, round);
        vm.expectRevert(denied);
        sale.endRound(1);
    }

    function test_a_receiver_that_comes_again_is_paid_once() public {
        ReenteringReceiver thief = new ReenteringReceiver(sale);
        vm.deal(address(thief), 2 * PRICE);
        buyOne(ANN);
        thief.act(address(sale), 2 * PRICE, abi.encodeCall(Sale.buy, (order("1", 1))));
        thief.fetch();
        vm.assertFalse(thief.again());
        vm.assertEq(address(thief).balance, PRICE);
        vm.assertEq(address(sale).balance, sale.totalOwed(address(0)));
    }

    function testFuzz_every_unit_is_owed_to_someone(uint32 quantity, uint256 over, bool referred)
        public
    {
        quantity = uint32(bound(quantity, 1, 50));
        over = bound(over, 0, 100 ether);
        buyOne(BEN);
        Sale.Order memory it = order("1", quantity);
        if (referred) it.referrer = BEN;
        uint32 bought = buy(ANN, it, quantity * PRICE + over);
        vm.assertEq(licence.balanceOf(ANN), bought);
        vm.assertEq(address(sale).balance, sale.totalOwed(address(0)));
        vm.assertEq(
            sale.owed(address(0), ANN) + sale.owed(address(0), BEN)
                + sale.owed(address(0), TREASURY),
            sale.totalOwed(address(0))
        );
        vm.assertEq(
            sale.owed(address(0), ANN) + bought * sale.priceOf(it, ANN), quantity * PRICE + over
        );
    }
}
