using System.Text.RegularExpressions;

namespace Provisioner.Joining;

/// <summary>Takes out of a host's words what looks like a secret: they are kept, and shown to people.</summary>
internal static partial class Redaction
{
    private const string Instead = "REDACTED";

    /// <summary>The same text with each secret's value replaced; what stands before it stays, so that people see what was there.</summary>
    public static string Of(string text) => PrivateKey().Replace(Bearer().Replace(KubernetesToken().Replace(AccessKey().Replace(Named().Replace(text, "${name}" + Instead), Instead), Instead), "${scheme}" + Instead), Instead);

    // activationCode: X, "activationCode":"X", --activation-code X, TOKEN=X, X-Amz-Signature=X, password: X, aws_secret_access_key = X … Not words after a
    // blank alone: "the token was used" is no secret.
    [GeneratedRegex("""(?<name>(activation[-_ ]?code|secret[-_ ]?access[-_ ]?key|session[-_ ]?token|security[-_]token|x-amz-signature|x-amz-credential|passphrase|password|passwd|secret|token)(["']?\s*[:=]\s*["']?)|--[a-z-]*(code|key|token|password|secret)\s+["']?)[^\s"',;&}]{4,}""", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Named();

    [GeneratedRegex("""(?<scheme>\b(bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}""", RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex Bearer();

    // What aws-iam-authenticator makes: a presigned request.
    [GeneratedRegex("""k8s-aws-v1\.[A-Za-z0-9_-]+""", RegexOptions.NonBacktracking)]
    private static partial Regex KubernetesToken();

    [GeneratedRegex("""\b(AKIA|ASIA)[A-Z0-9]{16}\b""", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex AccessKey();

    [GeneratedRegex("""-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----[^-]*(-----END [A-Z0-9 ]*PRIVATE KEY-----)?""", RegexOptions.ExplicitCapture | RegexOptions.NonBacktracking)]
    private static partial Regex PrivateKey();
}
