using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.RegularExpressions;

namespace Provisioner.Clusters;

/// <summary>The rules of AWS's names. Each says what is wrong, or null.</summary>
internal static partial class ClusterTexts
{
    /// <summary>https://docs.aws.amazon.com/eks/latest/APIReference/API_CreateCluster.html</summary>
    public static string? EksName(string text) => EksNames().IsMatch(text) ? null : "is not a name EKS takes";

    public static string? Region(string text) => Regions().IsMatch(text) ? null : "is not an AWS region";

    public static string? KubernetesVersion(string text) =>
        KubernetesVersions().IsMatch(text) ? null : text.StartsWith('v') ? "begins with a v; nodeadm takes the number alone" : "is not a Kubernetes version";

    public static string? NodeadmVersion(string text) => text == "latest" || NodeadmVersions().IsMatch(text) ? null : "is not a version of nodeadm";

    /// <summary>An ARN of that service and resource.</summary>
    public static string? Arn(string text, string service, string resource)
    {
        if (Arns().Match(text) is not { Success: true } match)
            return "is not an ARN";
        if (match.Groups["service"].Value != service)
            return $"is of {match.Groups["service"].Value}, not of {service}";
        if (!match.Groups["resource"].Value.StartsWith(resource + "/", StringComparison.Ordinal))
            return $"is not of a {resource}";
        return service == "iam" ? match.Groups["region"].Length > 0 ? "has a region, which a role's has not" : null
            : match.Groups["region"].Length == 0 ? "has no region" : null;
    }

    /// <summary>The region in an ARN; null for IAM's, which have none.</summary>
    public static string? RegionOf(string arn) => Arns().Match(arn) is { Success: true } match && match.Groups["region"].Length > 0 ? match.Groups["region"].Value : null;

    /// <summary>The account in an ARN.</summary>
    public static string AccountOf(string arn) => Arns().Match(arn).Groups["account"].Value;

    /// <summary>What comes after the last <c>/</c>: a role's name, an anchor's id.</summary>
    public static string NameIn(string arn) => arn[(arn.LastIndexOf('/') + 1)..];

    /// <summary>Certificates in PEM, in base64 once more, as DescribeCluster answers.</summary>
    public static string? CertificateAuthority(string text)
    {
        try
        {
            var pem = System.Text.Encoding.ASCII.GetString(Convert.FromBase64String(text));
            var certificates = new X509Certificate2Collection();
            certificates.ImportFromPem(pem);
            foreach (var certificate in certificates)
                certificate.Dispose();
            return certificates.Count > 0 ? null : "holds no certificate";
        }
        catch (Exception e) when (e is FormatException or CryptographicException)
        {
            return "is not a certificate in PEM, in base64";
        }
    }

    [GeneratedRegex(@"\A[0-9A-Za-z][A-Za-z0-9_-]{0,99}\z", RegexOptions.NonBacktracking)]
    private static partial Regex EksNames();

    [GeneratedRegex(@"\A[a-z]{2,4}(-[a-z]{2,5})?-[a-z]{4,10}-[1-9]\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Regions();

    [GeneratedRegex(@"\A1\.[1-9][0-9](\.[0-9]{1,3})?\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex KubernetesVersions();

    [GeneratedRegex(@"\Av?[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}\z", RegexOptions.NonBacktracking)]
    private static partial Regex NodeadmVersions();

    [GeneratedRegex(@"\Aarn:aws[a-z-]*:(?<service>[a-z0-9-]+):(?<region>[a-z0-9-]*):(?<account>[0-9]{12}):(?<resource>[A-Za-z0-9+=,.@_/-]{1,600})\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Arns();
}
