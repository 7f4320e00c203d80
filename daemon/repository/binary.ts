/** Endings of files that are no text, so that they need not be read to be left out. */
const binaryEndings = new Set(
  (
    "png jpg jpeg gif bmp ico icns webp avif tif tiff psd heic " +
    "mp3 wav ogg flac m4a mp4 mov avi mkv webm " +
    "zip gz tgz bz2 xz zst 7z rar tar jar war whl egg nupkg vsix deb rpm dmg iso " +
    "so dylib dll exe o a obj lib node wasm class pyc pyo pdb bin " +
    "pdf doc docx xls xlsx ppt pptx odt ods " +
    "ttf otf woff woff2 eot " +
    "sqlite sqlite3 db mdb parquet arrow feather npy npz h5 hdf5 pkl pickle pt pth onnx tflite safetensors gguf"
  ).split(" "),
);

export function isBinaryName(path: string): boolean {
  const dot = path.lastIndexOf(".");
  return dot > path.lastIndexOf("/") && binaryEndings.has(path.slice(dot + 1).toLowerCase());
}

/** No text of a program or a person holds a zero byte; UTF-16 does, and is told apart by its byte order mark. */
export function looksBinary(bytes: Buffer): boolean {
  return bytes.includes(0);
}

export function hasUtf16Mark(bytes: Buffer): boolean {
  return bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
}
