using Amazon.Runtime;
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
