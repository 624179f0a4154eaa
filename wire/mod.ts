/**
 * What crosses processes: messages, subjects, keys, one codec, block hashes. No I/O, no clock.
 *
 * Words: a *block* is a fixed run of tokens; a *RouteHash* names a block with everything before it; an *owner* is a
 * worker rank (device tier) or a kvbm (host, disk); an *instance* is one running program; a *stream key* is
 * (request, attempt, leg).
 * @module
 */
export * from "./artifact.ts";
export * from "./block_transfer.ts";
export * from "./block_transfer_hello.ts";
export { ChurnMap } from "./churn_map.ts";
export { decode, encode, messageNameOf, messageNames } from "./codec.ts";
export type { Message, MessageName } from "./codec.ts";
export { mostAuditBlocks, mostPrefetchBlocks } from "./control.ts";
export type { AuditAnswer, Control, Part, SnapshotHead } from "./control.ts";
export { mostExcludedNamed, readDecisionLine, readDecisionReport } from "./decision_report.ts";
export type {
  DecisionLine,
  DecisionOutcome,
  DecisionReport,
  RankInputs,
} from "./decision_report.ts";
export type { DemandReport, ModelDemand, ServedStreams } from "./demand.ts";
export * from "./error.ts";
export { finishReasons, greedySampling } from "./generate.ts";
export { decodeGenerateRequest, encodeGenerateRequest } from "./generate_request.ts";
export type {
  BlockHolder,
  EntryExtra,
  FinishReason,
  GenerateRequest,
  Refusal,
  Sampling,
  StopRule,
  TokenLogprob,
} from "./generate.ts";
export { handoverParts, handoverWords, otherLeg, tailHash } from "./handover.ts";
export type { Handover } from "./handover.ts";
export * from "./hash_probe.ts";
export * from "./hint_fit.ts";
export * from "./ids.ts";
export { joinBytes } from "./join_bytes.ts";
export { kvEventBatches } from "./kv_event_batches.ts";
export * from "./kv_events.ts";
export { mostStreamsPerHeartbeat } from "./kv_heartbeat.ts";
export type { KvHeartbeat } from "./kv_heartbeat.ts";
export { decodeLedgerBatch, encodeLedgerBatch } from "./ledger_batch.ts";
export type { LedgerBatch, LedgerEntry } from "./ledger.ts";
export * from "./limits.ts";
export type { LoadReport } from "./load.ts";
export * from "./message_bundle.ts";
export type { InstanceRecord, ModelCard } from "./presence.ts";
export type { KvbmCard } from "./kvbm_card.ts";
export * from "./record.ts";
export { flippingTo, roles, takesAnswers, takesPrompts } from "./role.ts";
export type { Role, RoleFlip, RoleState } from "./role.ts";
export type { DesiredRecord } from "./desired.ts";
export { missingRoles } from "./missing_roles.ts";
export { moveKinds, orderKinds } from "./plan_order.ts";
export type { LeaderRecord, PlanOrder, ScaleRecord } from "./plan_order.ts";
export * from "./time_bins.ts";
export * from "./result.ts";
export {
  isPlacementTerm,
  mostPlacementTerms,
  placementTermsText,
  termMatches,
} from "./placement_term.ts";
export { policies, sessionModes } from "./route.ts";
export type {
  Candidate,
  DecisionRecord,
  Overlap,
  PolicyName,
  RouteHints,
  RouteReply,
} from "./route.ts";
export * from "./route_hash.ts";
export { mostNoticeStreams } from "./route_notice.ts";
export type { RouteNotice } from "./route_notice.ts";
export * from "./route_request.ts";
export { weightBounds, weightNames, weightProblem } from "./route_weights.ts";
export type { RouteWeights, WeightName } from "./route_weights.ts";
export { mostSessionsPerBatch } from "./session_batch.ts";
export type { SessionBatch } from "./session_batch.ts";
export * from "./step_frame.ts";
export type { StoreHello, StoreWelcome } from "./store_hello.ts";
export * from "./store_key.ts";
export { endHash, endMark, isEndIndex } from "./prompt_end.ts";
export * from "./store_rows.ts";
export * from "./stored_block.ts";
export * from "./subjects.ts";
export * from "./u32s.ts";
export { mapProfileTimes, workerProfile } from "./worker_profile.ts";
export type { WorkerProfile } from "./worker_profile.ts";
export * from "./worker_times.ts";
export { xxh64, xxh64Into } from "./xxh64.ts";
export type { Hash64 } from "./xxh64.ts";
export { wireVersion } from "./header.ts";
