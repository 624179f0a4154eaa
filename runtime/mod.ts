/**
 * How it crosses: bus, registry, clock, chance, config, lifecycle, telemetry. All I/O that programs share.
 * @module
 */
export * from "./bus.ts";
export * from "./byte_stream.ts";
export * from "./chance.ts";
export * from "./clock.ts";
export * from "./config.ts";
export * from "./log.ts";
export * from "./metrics.ts";
export * from "./registry.ts";
export * from "./service.ts";
export * from "./threads.ts";
export { MemoryByteNetwork } from "./byte_stream_memory.ts";
export { splitAddress, TcpNetwork } from "./byte_stream_tcp.ts";
export { seededChance } from "./chance_seeded.ts";
export { systemChance } from "./chance_system.ts";
export { deadlineOn, sleepOn, systemClock } from "./clock_system.ts";
export { VirtualClock, virtualEpochMs } from "./clock_virtual.ts";
export { readConfig } from "./config_file.ts";
export { renderHelp, schemaJson, schemaTable } from "./config_help.ts";
export { envOf, envPrefix, flagOf } from "./config_names.ts";
export { parseConfig, wantsHelp } from "./config_parse.ts";
export { levelFor, logLevels, parseLogFilter } from "./log_filter.ts";
export type { LogLevelName, LogRule } from "./log_filter.ts";
export { configureLog, openLog, standardError } from "./log_tape.ts";
export type { LogOutput } from "./log_tape.ts";
export {
  createMetrics,
  mergeExpositions,
  watchEventLoop,
  watchProcess,
} from "./metrics_prometheus.ts";
export { option } from "./option.ts";
export { formatBytes, formatDuration, parseBytes, parseDuration } from "./quantity.ts";
export { commonOptions } from "./service_options.ts";
export { closestWord, editDistance } from "./spelling.ts";
export { denoThreads } from "./threads_deno.ts";
export { ByteSlab } from "./byte_slab.ts";
export { v8Heap } from "./heap.ts";
export type { Heap, HeapSize } from "./heap.ts";
export { keepHeap } from "./heap_keeper.ts";
export { recordingLog } from "./log_recording.ts";
export type { LoggedLine } from "./log_recording.ts";
export { AdminServer } from "./admin.ts";
export type { AdminAddress, AdminPart } from "./admin.ts";
export { startService, version } from "./service_start.ts";
export type { AdminHost, RunningService, ServiceHost, ServiceSchema } from "./service_start.ts";
export { exitCodes, StartError } from "./start_error.ts";
export { parentVariable, StopRequest } from "./stop_request.ts";
export { MemoryBus, MemoryHub } from "./bus_memory.ts";
export type { CarriedMessage, MemoryNetwork } from "./bus_memory.ts";
export { MemoryRegistry, MemoryRegistryHub } from "./registry_memory.ts";
export { leaseTtlMs, maxKeyLength, maxValueBytes } from "./registry_rules.ts";
export { ReplyFailure } from "./request_handler.ts";
export { startEtcd, startNats } from "./local_servers.ts";
export type { LocalServer, LocalServerOptions } from "./local_servers.ts";
export { findServer } from "./server_binary.ts";
export { runService } from "./program.ts";
export { connectBus, connectRegistry, firstConnectMs } from "./connect.ts";
export type { ConnectOptions } from "./connect.ts";
export { FrameSocket } from "./frame_socket.ts";
export type { FrameStream } from "./frame_socket.ts";
export type { Frame } from "./frame_socket.ts";
export { connectLocal, hostName, LocalFrameServer, temporaryFolder } from "./local_socket.ts";
export type { LocalServerParts } from "./local_socket.ts";
export { namesIn, unlinkFile } from "./libc.ts";
export { startOfProcess } from "./process_start.ts";
export { cacheFolder } from "./cache_folder.ts";
export { directBuffer, directBytes, DirectFile, PathLock } from "./direct_file.ts";
export { SharedMemory } from "./shared_memory.ts";
export { PendingRequests } from "./pending_requests.ts";
export { SocketHub } from "./socket_hub.ts";
export type { SocketHubOptions } from "./socket_hub.ts";
