// Workers that compute, each with an instance of the module of its own. One call a time in a worker.
import { AttentionError } from "./errors.js";
import type { Call, Fault, Message, Reply } from "./messages.js";

/** A worker, whichever kind the runtime has. */
export interface Port {
  post(message: Message, transfer: ArrayBuffer[]): void;
  /** Whether the process has to wait for it. */
  hold(busy: boolean): void;
  end(): void;
}

/** What the runtime offers. */
export interface Workshop {
  /** Starts a worker, which says "ready" when its module is loaded. */
  spawn(heard: (reply: Reply) => void, failed: (reason: string) => void): Port;
  /** How many at most. */
  readonly size: number;
}

interface Job {
  readonly call: Call;
  readonly transfer: ArrayBuffer[];
  resolve: (result: Float32Array | Float32Array[]) => void;
  reject: (error: unknown) => void;
}

/** Calls a worker is given before it has answered: the second waits there, so that it need not wait for this thread. */
const AHEAD = 2;

/** A worker and what it has to do. */
export class Member {
  readonly waiting: Job[] = [];
  readonly running = new Map<number, Job>();
  /** Objects that it may forget when nothing waits that could name them. */
  dropped: number[] = [];
  ready = false;
  /** It is gone, and why. */
  fault: string | undefined;
  port: Port | undefined;

  get load(): number {
    return this.waiting.length + this.running.size;
  }
}

export class Pool {
  #members: Member[] = [];
  /** Why no worker can be had, once that is known. */
  broken: string | undefined;

  /** @param here - Computes on this thread: for calls that were waiting for a worker that could not start. */
  constructor(
    readonly workshop: Workshop,
    readonly here: (call: Call) => Reply | undefined,
  ) {}

  /** The worker that is to take the next call: an idle one, a new one, or the one with the fewest calls. */
  place(): Member {
    const least = this.#members.reduce<Member | undefined>((a, b) => (a !== undefined && a.load <= b.load ? a : b), undefined);
    if (least !== undefined && (least.load === 0 || this.#members.length >= this.workshop.size)) return least;
    return this.#start();
  }

  /** Hands a call to a worker. */
  run(member: Member, call: Call, transfer: ArrayBuffer[], signal?: AbortSignal): Promise<Float32Array | Float32Array[]> {
    return new Promise((resolve, reject) => {
      const job: Job = { call, transfer, resolve, reject };
      if (signal !== undefined) this.#heed(signal, member, job);
      if (member.fault !== undefined) {
        settle(job, this.here(call));
        return;
      }
      member.waiting.push(job);
      this.#feed(member);
    });
  }

  /** Lets the workers forget objects. */
  drop(ids: readonly number[]): void {
    for (const member of this.#members) {
      member.dropped.push(...ids);
      this.#feed(member);
    }
  }

  /** Ends all workers; calls that have not been answered are refused. */
  end(): void {
    for (const member of this.#members.splice(0)) this.#lose(member, "the workers were ended");
  }

  /** Rejects a call when its signal aborts, and takes it off the queue. */
  #heed(signal: AbortSignal, member: Member, job: Job): void {
    const { resolve, reject } = job;
    const abort = (): void => {
      const index = member.waiting.indexOf(job);
      // A call over a cache may bring rows that later calls count on, so it is computed in any case.
      if (index >= 0 && job.call.cache === undefined) member.waiting.splice(index, 1);
      this.#feed(member);
      reject(signal.reason);
    };
    signal.addEventListener("abort", abort, { once: true });
    const forget = (): void => signal.removeEventListener("abort", abort);
    job.resolve = (result) => (forget(), resolve(result));
    job.reject = (error) => (forget(), reject(error));
  }

  #start(): Member {
    const member = new Member();
    this.#members.push(member);
    member.port = this.workshop.spawn(
      (reply) => this.#hear(member, reply),
      (reason) => this.#fail(member, reason),
    );
    return member;
  }

  #feed(member: Member): void {
    if (member.fault !== undefined) return;
    while (member.ready && member.running.size < AHEAD) {
      const job = member.waiting.shift();
      if (job === undefined) break;
      member.running.set(job.call.id, job);
      member.port!.post(job.call, job.transfer);
    }
    if (member.ready && member.waiting.length === 0 && member.dropped.length > 0) {
      member.port!.post({ kind: "drop", ids: member.dropped.splice(0) }, []);
    }
    member.port?.hold(member.load > 0);
  }

  #hear(member: Member, reply: Reply): void {
    if (reply.kind === "ready") {
      member.ready = true;
    } else {
      const job = member.running.get(reply.id);
      member.running.delete(reply.id);
      if (job !== undefined) settle(job, reply);
    }
    this.#feed(member);
  }

  #fail(member: Member, reason: string): void {
    if (member.fault !== undefined) return;
    if (!member.ready) this.broken ??= reason;
    this.#members = this.#members.filter((other) => other !== member);
    // What was not sent has its inputs still; a cache's earlier rows went with the worker.
    const whole = member.waiting.filter((job) => job.call.cache === undefined || !member.ready);
    member.waiting.splice(0, Infinity, ...member.waiting.filter((job) => !whole.includes(job)));
    this.#lose(member, reason);
    for (const job of whole) settle(job, this.here(job.call));
  }

  #lose(member: Member, reason: string): void {
    member.fault = reason;
    member.port?.end();
    for (const job of [...member.running.values(), ...member.waiting]) {
      job.reject(new AttentionError(`the worker is gone: ${reason}`, "internal", ""));
    }
  }
}

function settle(job: Job, reply: Reply | undefined): void {
  if (reply?.kind === "done") job.resolve(reply.result);
  else if (reply?.kind === "failed") job.reject(errorOf(reply.fault));
  else job.reject(new AttentionError("the worker gave no answer", "internal", ""));
}

function errorOf({ message, code, argument }: Fault): AttentionError {
  return new AttentionError(message, code, argument);
}
