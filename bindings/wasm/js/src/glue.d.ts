// What wasm-bindgen writes beside the compiled files, as far as they use it.
import type { AttentionError } from "./errors.js";

/** An object whose memory lies in the module. */
export interface Owner {
  /** Where; 0 once it was freed. */
  readonly __wbg_ptr: number;
  free(): void;
}

type Arguments = readonly unknown[];

export interface OwnerClass {
  new (...args: Arguments): Owner;
  readonly prototype: Owner;
}

export const WasmScaledDotProduct: OwnerClass;
export const WasmMultiHeadAttention: OwnerClass & { fromParams(...args: Arguments): Owner };
export const WasmHyperbolicAttention: OwnerClass;
export const WasmLinearAttention: OwnerClass;
export const WasmCrossAttention: OwnerClass;
export const WasmSelfAttention: OwnerClass;
export const KeyValueCache: OwnerClass;
export const AttentionState: OwnerClass & { fromBytes(bytes: unknown): Owner };

export function version(): string;
export function kernel(): string;
export function getSupportedFeatures(): string[];
export function poincareDistance(...args: Arguments): number;
export function toPoincare(...args: Arguments): Float32Array;
export function fromPoincare(...args: Arguments): Float32Array;
export function projectToBall(...args: Arguments): Float32Array;
export function setErrorClass(errorClass: typeof AttentionError): void;

/** Instantiates at once. */
export function initSync(input: { module: WebAssembly.Module }): unknown;
/** Instantiates. */
export default function init(input: { module_or_path: WebAssembly.Module }): Promise<unknown>;
