/** Files that hold keys by convention: their names alone keep them out, whatever is in them. */
const secretNames: readonly RegExp[] = [
  /^\.env(?:\..+)?$/i,
  /\.env$/i,
  /\.(?:pem|key|p12|pfx|p8|jks|keystore|kdbx|ppk|gpg|ovpn)$/i,
  /^id_[a-z0-9_]+$/i,
  /^\.?(?:npmrc|netrc|pypirc|pgpass|htpasswd|git-credentials|dockercfg|s3cfg|boto)$/i,
  /^_netrc$/i,
  /^credentials(?:\.(?:json|ya?ml|toml|ini|xml|csv))?$/i,
  /^(?:client_)?secrets?\.(?:json|ya?ml|toml|ini|env|properties)$/i,
  /^service[-_]account.*\.json$/i,
  /^kubeconfig$|\.kubeconfig$/i,
  /\.tfstate(?:\..+)?$|\.tfvars(?:\.json)?$/i,
];

/** Names that matter together with their folder. */
const secretPaths = /(?:^|\/)(?:\.kube\/config|\.aws\/(?:config|credentials)|\.docker\/config\.json|\.ssh\/.+)$/i;

/** Templates that people commit so that others know what to fill in; their content is still looked at. */
const exampleName = /^\.env\.(?:example|sample|template|dist|defaults?)$/i;

/** Public certificates that share an ending with keys stay out too: they tell nothing about a program. */
export function isSecretName(path: string): boolean {
  const name = path.slice(path.lastIndexOf("/") + 1);
  if (exampleName.test(name)) return false;
  return secretPaths.test(path) || secretNames.some((pattern) => pattern.test(name));
}
