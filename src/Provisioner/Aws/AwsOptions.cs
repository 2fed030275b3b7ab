using Provisioner.Clusters;
using Provisioner.Resources;

namespace Provisioner.Aws;

/// <summary>Where the appliance's own AWS credentials come from.</summary>
public enum AwsCredentialsKind
{
    /// <summary>It has none and asks AWS for nothing.</summary>
    None,

    /// <summary>IAM Roles Anywhere, with a certificate that its own authority issues to itself.</summary>
    RolesAnywhere,

    /// <summary>What the AWS SDK finds: environment, the profile of a shared file, an instance's role. For the first <c>aws apply</c>.</summary>
    Default,
}

/// <summary>The configuration key <c>aws</c>.</summary>
public sealed record AwsOptions
{
    public AwsCredentialsKind Credentials { get; init; }

    public string? TrustAnchorArn { get; init; }

    public string? ProfileArn { get; init; }

    public string? RoleArn { get; init; }

    /// <summary>What stands as CN in its certificate. No host can have this name, so no host can become the appliance.</summary>
    public string CommonName { get; init; } = "appliance@provisioner";

    /// <summary>Where AWS is reached, with <c>{service}</c> and <c>{region}</c> in it; null for AWS's own names.</summary>
    public string? Endpoint { get; init; }
}

/// <summary>The keys of the configuration's <c>aws</c>.</summary>
internal static class AwsFields
{
    public static Shape<AwsOptions> Aws { get; } = Declare();

    private static Shape<AwsOptions> Declare()
    {
        var kind = Values.OneOf("a source of credentials", ("none", AwsCredentialsKind.None), ("roles-anywhere", AwsCredentialsKind.RolesAnywhere), ("default", AwsCredentialsKind.Default));
        var shape = new Shape<AwsOptions>("aws", () => new AwsOptions());
        shape.Default("credentials", kind, o => o.Credentials, (o, v) => o with { Credentials = v },
            "none: AWS is asked for nothing. roles-anywhere: by a certificate of the appliance's own authority. default: what the AWS SDK finds in environment and shared files.");
        shape.Optional("trustAnchorArn", ClusterFields.Arn("rolesanywhere", "trust-anchor"), o => o.TrustAnchorArn, (o, v) => o with { TrustAnchorArn = v }, "With roles-anywhere: the trust anchor that is this appliance's authority.");
        shape.Optional("profileArn", ClusterFields.Arn("rolesanywhere", "profile"), o => o.ProfileArn, (o, v) => o with { ProfileArn = v }, "With roles-anywhere: the appliance's own profile, not that of nodes.");
        shape.Optional("roleArn", ClusterFields.Arn("iam", "role"), o => o.RoleArn, (o, v) => o with { RoleArn = v }, "With roles-anywhere: the appliance's own role, not that of nodes.");
        shape.Default("commonName", Values.OfText("a common name", "2 to 64 letters, digits and _+=,.@- that are no host's name, such as appliance@provisioner", CommonName), o => o.CommonName, (o, v) => o with { CommonName = v },
            "The CN of its own certificate.");
        shape.Optional("endpoint", Values.OfText("an endpoint", "an http or https URL, with {service} and {region} where they belong, such as https://{service}.{region}.aws.example.com", Endpoint),
            o => o.Endpoint, (o, v) => o with { Endpoint = v }, "Where AWS is reached, where it is not by AWS's own names.");
        shape.Check((options, report) =>
        {
            if (options.Credentials != AwsCredentialsKind.RolesAnywhere)
                return;
            foreach (var (key, value) in new[] { ("trustAnchorArn", options.TrustAnchorArn), ("profileArn", options.ProfileArn), ("roleArn", options.RoleArn) })
            {
                if (value is null)
                    report(key, "is missing", null, "the ARN that 'provisioner aws apply' printed: credentials: roles-anywhere needs all three");
            }
            if (options is { TrustAnchorArn: { } anchor, ProfileArn: { } profile } && ClusterTexts.RegionOf(anchor) != ClusterTexts.RegionOf(profile))
                report("profileArn", $"it is in {ClusterTexts.RegionOf(profile)}, the trust anchor in {ClusterTexts.RegionOf(anchor)}", profile, "both in one region");
        });
        return shape;
    }

    // It becomes the source identity of the session (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html), and it must be no host's:
    // a host that enrolled under this name would be let in as the appliance.
    private static string? CommonName(string text) =>
        text.Length is < 2 or > 64 || !text.All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '+' or '=' or ',' or '.' or '@' or '-') ? "is not a name that STS takes"
        : Texts.Name(text, 64) is null ? "could be a host's name, and that host would be let in as the appliance"
        : null;

    private static string? Endpoint(string text)
    {
        var filled = text.Replace("{service}", "s", StringComparison.Ordinal).Replace("{region}", "r", StringComparison.Ordinal);
        return filled.Contains('{', StringComparison.Ordinal) ? "has other braces than {service} and {region}"
            : Texts.WebAddress(filled) ?? (new Uri(filled).PathAndQuery != "/" ? "has a path" : null);
    }
}
