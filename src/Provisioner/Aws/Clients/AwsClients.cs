using Amazon.Runtime;
using Amazon.S3;
using Amazon.SecurityToken;
using Amazon.SimpleSystemsManagement;
using Provisioner.Aws.Credentials;

namespace Provisioner.Aws.Clients;

/// <summary>The services of AWS, each in one region, all with the appliance's own credentials. Where the AWS SDK has a client, it is that.</summary>
internal sealed class AwsClients(AwsApi api, AwsEndpoints endpoints, IAwsCredentials credentials)
{
    public IAmazonIAMRolesAnywhere RolesAnywhere(string region) => new RolesAnywhereClient(api, region);

    public IAmazonEKS Eks(string region) => new EksClient(api, region);

    public IAmazonIdentityManagementService Iam(string region) => new IamClient(api, region);

    public IAmazonCloudFormation CloudFormation(string region) => new CloudFormationClient(api, region);

    public IAmazonEC2 Ec2(string region) => new Ec2Client(api, region);

    public AmazonSecurityTokenServiceClient Sts(string region) => new(new SdkCredentials(credentials), Prepared(new AmazonSecurityTokenServiceConfig(), "sts", region));

    public AmazonSimpleSystemsManagementClient Ssm(string region) => new(new SdkCredentials(credentials), Prepared(new AmazonSimpleSystemsManagementConfig(), "ssm", region));

    public AmazonS3Client S3(string region)
    {
        var config = Prepared(new AmazonS3Config(), "s3", region);
        // A part of a backup takes longer than a question; servers other than Amazon's know neither names of buckets in DNS nor checksums in trailers.
        config.Timeout = TimeSpan.FromMinutes(15);
        config.ForcePathStyle = endpoints.IsOwn;
        config.RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED;
        config.ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED;
        return new AmazonS3Client(new SdkCredentials(credentials), config);
    }

    private T Prepared<T>(T config, string service, string region)
        where T : ClientConfig
    {
        config.ServiceURL = endpoints.Of(service, region).AbsoluteUri;
        config.AuthenticationRegion = region;
        config.MaxErrorRetry = 3;
        config.Timeout = TimeSpan.FromSeconds(30);
        return config;
    }
}
