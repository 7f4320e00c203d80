/**
 * The product's version: part of the socket's name and of the handshake, so that an editor never talks to a daemon of
 * another version without noticing. Equal to package.json's `version`; a test compares the two.
 */
export const productVersion = "0.1.0";
