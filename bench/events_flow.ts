/** Messages that one byte of the receiver allows. */
export const grant = 512;
/** Messages on their way at a time: the server drops a reader that falls too far behind. */
export const windowMessages = 8_192;
