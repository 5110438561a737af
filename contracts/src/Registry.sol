// SPDX-License-Identifier: MIT
pragma solidity 0.8.30;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {PullPayments} from "./PullPayments.sol";

/// @title The network's machines
/// @notice A machine is the address of its key. Its owner registers it with that key's consent, so that nobody
/// registers another's machine. The owner of a registered checker is its operator.
contract Registry is Ownable, EIP712, PullPayments {
    enum Kind {
        None,
        Worker,
        Checker
    }

    struct Machine {
        address owner;
        Kind kind;
        uint64 registeredAt; // in seconds
        bytes32 specification; // the hash of what the machine is
    }

    bytes32 public constant CONSENT_TYPE = keccak256(
        "Consent(address machine,address owner,uint8 kind,bytes32 specification,uint256 nonce,uint256 deadline)"
    );

    /// @notice What fees are paid in; address(0) is the chain's own coin.
    address public immutable feeToken;
    address public immutable treasury;

    mapping(Kind => uint256) public fees;
    mapping(address machine => Machine) private _machines;
    /// @notice What the machine's next consent has to name: one consent registers once.
    mapping(address machine => uint256) public nonces;
    mapping(Kind => uint256) public count;

    event Registered(
        address indexed machine,
        address indexed owner,
        Kind indexed kind,
        bytes32 specification,
        uint256 fee
    );
    event SpecificationChanged(address indexed machine, bytes32 specification);
    event Deregistered(address indexed machine, address indexed owner, Kind indexed kind);
    event FeeChanged(Kind indexed kind, uint256 fee);

    error UnknownKind();
    error AlreadyRegistered(address machine);
    error NotRegistered(address machine);
    error NotTheOwner(address machine);
    error ConsentExpired(uint256 deadline);
    error WrongConsent(address machine);
    error FeeTooHigh(uint256 fee, uint256 maximum);
    error WrongPayment(uint256 expected, uint256 given);

    constructor(
        address administrator,
        address feeToken_,
        address treasury_,
        uint256 workerFee,
        uint256 checkerFee
    ) Ownable(administrator) EIP712("Kaisar Registry", "1") {
        feeToken = feeToken_;
        treasury = treasury_;
        _setFee(Kind.Worker, workerFee);
        _setFee(Kind.Checker, checkerFee);
    }

    /// @notice Registers the sender's machine and takes the fee.
    /// @param consent the machine key's signature of `consentDigest`
    /// @param maximumFee what the sender is ready to pay; a fee in coin is sent along exactly
    function register(
        Kind kind,
        address machine,
        bytes32 specification,
        uint256 deadline,
        bytes calldata consent,
        uint256 maximumFee
    ) external payable nonReentrant {
        if (kind == Kind.None) revert UnknownKind();
        if (_machines[machine].kind != Kind.None) revert AlreadyRegistered(machine);
        if (block.timestamp > deadline) revert ConsentExpired(deadline);
        bytes32 digest = consentDigest(kind, machine, msg.sender, specification, deadline);
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, consent);
        if (failure != ECDSA.RecoverError.NoError || signer != machine) {
            revert WrongConsent(machine);
        }
        nonces[machine]++;
        _machines[machine] = Machine(msg.sender, kind, uint64(block.timestamp), specification);
        count[kind]++;
        uint256 fee = fees[kind];
        emit Registered(machine, msg.sender, kind, specification, fee);
        if (fee > maximumFee) revert FeeTooHigh(fee, maximumFee);
        _takeFee(fee);
    }

    /// @notice Changes what the sender's machine is said to be.
    function setSpecification(address machine, bytes32 specification) external {
        Machine storage it = _machines[machine];
        if (it.kind == Kind.None) revert NotRegistered(machine);
        if (it.owner != msg.sender) revert NotTheOwner(machine);
        it.specification = specification;
        emit SpecificationChanged(machine, specification);
    }

    /// @notice Takes a machine out: its owner may, and its key, for whoever holds the machine but lost the wallet.
    function deregister(address machine) external {
        Machine memory it = _machines[machine];
        if (it.kind == Kind.None) revert NotRegistered(machine);
        if (it.owner != msg.sender && machine != msg.sender) revert NotTheOwner(machine);
        delete _machines[machine];
        count[it.kind]--;
        emit Deregistered(machine, it.owner, it.kind);
    }

    /// @notice Changes a kind's fee.
    function setFee(Kind kind, uint256 fee) external onlyOwner {
        if (kind == Kind.None) revert UnknownKind();
        _setFee(kind, fee);
    }

    function machineOf(address machine) external view returns (Machine memory) {
        return _machines[machine];
    }

    /// @notice The operator of a registered checker; address(0) if it is none.
    function operatorOf(address machine) external view returns (address) {
        Machine storage it = _machines[machine];
        return it.kind == Kind.Checker ? it.owner : address(0);
    }

    /// @notice What the machine's key signs for `owner_` to register it.
    function consentDigest(
        Kind kind,
        address machine,
        address owner_,
        bytes32 specification,
        uint256 deadline
    ) public view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    CONSENT_TYPE, machine, owner_, kind, specification, nonces[machine], deadline
                )
            )
        );
    }

    function _takeFee(uint256 fee) private {
        uint256 coin = feeToken == address(0) ? fee : 0;
        if (msg.value != coin) revert WrongPayment(coin, msg.value);
        if (feeToken != address(0) && fee != 0) _take(feeToken, fee);
        _owe(feeToken, treasury, fee);
    }

    function _setFee(Kind kind, uint256 fee) private {
        fees[kind] = fee;
        emit FeeChanged(kind, fee);
    }
}
