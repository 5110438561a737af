// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Test} from "./lib/Test.sol";
import {GreedyCoin, MuteCoin} from "./lib/Coins.sol";
import {PullPayments} from "../src/PullPayments.sol";
import {Registry} from "../src/Registry.sol";

contract RegistryTest is Test {
    address private constant ADMINISTRATOR = address(0xAD);
    address private constant TREASURY = address(0x7E);
    address private constant OWNER = address(0x0E);
    uint256 private constant KEY = 0xBEEF;
    uint256 private constant FEE = 3 ether;
    bytes32 private constant SPECIFICATION = "specification";
    address private machine = vm.addr(KEY);
    Registry private registry;

    function setUp() public {
        registry = new Registry(ADMINISTRATOR, address(0), TREASURY, FEE, 0);
        vm.deal(OWNER, 100 ether);
        vm.warp(1_000_000);
    }

    function consent(Registry.Kind kind, address owner) private view returns (bytes memory) {
        return signature(
            KEY, registry.consentDigest(kind, machine, owner, SPECIFICATION, block.timestamp)
        );
    }

    function register(uint256 value, bytes memory signed) private {
        vm.prank(OWNER);
        registry.register{value: value}(
            Registry.Kind.Worker, machine, SPECIFICATION, block.timestamp, signed, FEE
        );
    }

    function registerRightly() private {
        register(FEE, consent(Registry.Kind.Worker, OWNER));
    }

    function test_a_machine_is_registered_and_its_fee_owed_to_the_treasury() public {
        registerRightly();
        Registry.Machine memory it = registry.machineOf(machine);
        vm.assertEq(it.owner, OWNER);
        vm.assertEq(it.specification, SPECIFICATION);
        vm.assertEq(it.registeredAt, block.timestamp);
        vm.assertEq(registry.count(Registry.Kind.Worker), 1);
        vm.assertEq(registry.operatorOf(machine), address(0));
        vm.prank(TREASURY);
        vm.assertEq(registry.withdraw(address(0), TREASURY), FEE);
        vm.assertEq(TREASURY.balance, FEE);
    }

    function test_the_digest_is_of_eip_712() public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256(
                    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
                ),
                keccak256("Kaisar Registry"),
                keccak256("1"),
                block.chainid,
                address(registry)
            )
        );
        bytes32 inner = keccak256(
            abi.encode(registry.CONSENT_TYPE(), machine, OWNER, uint8(1), SPECIFICATION, 0, 7)
        );
        vm.assertEq(
            registry.consentDigest(Registry.Kind.Worker, machine, OWNER, SPECIFICATION, 7),
            keccak256(abi.encodePacked("\x19\x01", domain, inner))
        );
    }

    function test_without_the_machines_consent_nobody_registers_it() public {
        bytes memory foreign = consent(Registry.Kind.Worker, address(0xBAD));
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongConsent.selector, machine));
        register(FEE, foreign);
        bytes memory otherKind = consent(Registry.Kind.Checker, OWNER);
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongConsent.selector, machine));
        register(FEE, otherKind);
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongConsent.selector, machine));
        register(FEE, "");
    }

    function test_a_consent_registers_once_and_not_late() public {
        bytes memory signed = consent(Registry.Kind.Worker, OWNER);
        register(FEE, signed);
        vm.expectRevert(abi.encodeWithSelector(Registry.AlreadyRegistered.selector, machine));
        register(FEE, signed);
        vm.prank(OWNER);
        registry.deregister(machine);
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongConsent.selector, machine));
        register(FEE, signed);
        vm.expectRevert(abi.encodeWithSelector(Registry.ConsentExpired.selector, 5));
        registry.register(Registry.Kind.Worker, machine, SPECIFICATION, 5, "", FEE);
    }

    function test_the_fee_is_exact_and_bounded() public {
        bytes memory signed = consent(Registry.Kind.Worker, OWNER);
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongPayment.selector, FEE, FEE + 1));
        register(FEE + 1, signed);
        vm.prank(ADMINISTRATOR);
        registry.setFee(Registry.Kind.Worker, FEE + 1);
        vm.expectRevert(abi.encodeWithSelector(Registry.FeeTooHigh.selector, FEE + 1, FEE));
        register(FEE + 1, signed);
    }

    function test_the_fee_may_be_a_coin_that_returns_nothing() public {
        MuteCoin coin = new MuteCoin();
        registry = new Registry(ADMINISTRATOR, address(coin), TREASURY, FEE, 0);
        coin.mint(OWNER, FEE);
        vm.prank(OWNER);
        coin.approve(address(registry), FEE);
        bytes memory signed = consent(Registry.Kind.Worker, OWNER);
        vm.expectRevert(abi.encodeWithSelector(Registry.WrongPayment.selector, 0, 1));
        register(1, signed);
        register(0, signed);
        vm.assertEq(coin.balanceOf(address(registry)), FEE);
        vm.prank(TREASURY);
        registry.withdraw(address(coin), address(9));
        vm.assertEq(coin.balanceOf(address(9)), FEE);
    }

    function test_a_coin_with_a_fee_of_its_own_is_refused() public {
        GreedyCoin coin = new GreedyCoin();
        registry = new Registry(ADMINISTRATOR, address(coin), TREASURY, FEE, 0);
        coin.mint(OWNER, FEE);
        vm.prank(OWNER);
        coin.approve(address(registry), FEE);
        bytes memory signed = consent(Registry.Kind.Worker, OWNER);
        vm.expectRevert(abi.encodeWithSelector(PullPayments.InexactTransfer.selector, FEE, FEE - 1));
        register(0, signed);
    }

    function test_only_the_owner_changes_the_specification() public {
        vm.expectRevert(abi.encodeWithSelector(Registry.NotRegistered.selector, machine));
        registry.setSpecification(machine, "b");
        registerRightly();
        vm.expectRevert(abi.encodeWithSelector(Registry.NotTheOwner.selector, machine));
        registry.setSpecification(machine, "b");
        vm.prank(OWNER);
        registry.setSpecification(machine, "b");
        vm.assertEq(registry.machineOf(machine).specification, "b");
    }

    function test_the_owner_or_the_machine_deregisters() public {
        vm.expectRevert(abi.encodeWithSelector(Registry.NotRegistered.selector, machine));
        registry.deregister(machine);
        registerRightly();
        vm.expectRevert(abi.encodeWithSelector(Registry.NotTheOwner.selector, machine));
        registry.deregister(machine);
        vm.prank(machine);
        registry.deregister(machine);
        vm.assertEq(registry.count(Registry.Kind.Worker), 0);
        registerRightly();
        vm.prank(OWNER);
        registry.deregister(machine);
        vm.assertTrue(registry.machineOf(machine).kind == Registry.Kind.None);
    }

    function test_no_kind_is_none() public {
        vm.expectRevert(Registry.UnknownKind.selector);
        registry.register(Registry.Kind.None, machine, 0, block.timestamp, "", FEE);
        vm.prank(ADMINISTRATOR);
        vm.expectRevert(Registry.UnknownKind.selector);
        registry.setFee(Registry.Kind.None, 1);
    }

    function test_only_the_administrator_sets_fees() public {
        vm.expectRevert(
            abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, address(this))
        );
        registry.setFee(Registry.Kind.Worker, 1);
    }
}
