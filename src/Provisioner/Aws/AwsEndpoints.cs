namespace Provisioner.Aws;

/// <summary>Where each service of AWS is reached.</summary>
internal sealed class AwsEndpoints(AwsOptions options)
{
    /// <summary>The configuration says where AWS is reached.</summary>
    public bool IsOwn => options.Endpoint is not null;

    /// <summary>https://docs.aws.amazon.com/general/latest/gr/rande.html</summary>
    public Uri Of(string service, string region) => new(options.Endpoint is { } template
        ? template.Replace("{service}", service, StringComparison.Ordinal).Replace("{region}", region, StringComparison.Ordinal)
        : $"https://{HostOf(service, region)}");

    /// <summary>AWS's own name, whatever the configuration says: the one that stands in a cluster's token.</summary>
    public static string HostOf(string service, string region) => (service, Partition(region)) switch
    {
        ("iam", "aws") => "iam.amazonaws.com",
        ("iam", "aws-cn") => "iam.cn-north-1.amazonaws.com.cn",
        ("iam", "aws-us-gov") => "iam.us-gov.amazonaws.com",
        ("iam", "aws-eusc") => "iam.eusc-de-east-1.amazonaws.eu",
        (_, "aws-cn") => $"{service}.{region}.amazonaws.com.cn",
        (_, "aws-eusc") => $"{service}.{region}.amazonaws.eu",
        _ => $"{service}.{region}.amazonaws.com",
    };

    /// <summary>IAM is one for all regions, and signed for the region it is at home in.</summary>
    public static string SigningRegion(string service, string region) => service != "iam" ? region : Partition(region) switch
    {
        "aws-cn" => "cn-north-1",
        "aws-us-gov" => "us-gov-west-1",
        "aws-eusc" => "eusc-de-east-1",
        _ => "us-east-1",
    };

    /// <summary>The second part of every ARN.</summary>
    public static string Partition(string region) => region.Split('-') switch
    {
        ["cn", ..] => "aws-cn",
        ["us", "gov", ..] => "aws-us-gov",
        ["eusc", ..] => "aws-eusc",
        _ => "aws",
    };
}
