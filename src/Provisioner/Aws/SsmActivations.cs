using System.Globalization;
using Amazon.Runtime;
using Amazon.SimpleSystemsManagement;
using Amazon.SimpleSystemsManagement.Model;
using Provisioner.Aws.Clients;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Kubernetes;

namespace Provisioner.Aws;

/// <summary>Systems Manager's side of hosts that join by activation: made for one host, taken back when it leaves.</summary>
internal sealed class SsmActivations(AwsClients clients, TimeProvider time) : IActivations, INodeDeregistration
{
    /// <summary>On activations and the managed instances made of them.</summary>
    public const string HostTag = "provisioner-host";

    public const string ClusterTag = "provisioner-cluster";

    /// <summary>nodeadm's own policy lets an instance deregister itself by this tag (https://docs.aws.amazon.com/eks/latest/userguide/hybrid-nodes-creds.html).</summary>
    public const string ClusterArnTag = "EKSClusterARN";

    /// <summary>An installation takes minutes; an activation that was not used by then is useless to a thief.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(2);

    public async Task<Joining.Activation> CreateAsync(Host host, Cluster cluster, CancellationToken cancellation)
    {
        if (cluster.Spec.RoleArn is not { } role)
            throw new ClusterAccessException($"Cluster {cluster.Name} names no role of its nodes (spec.roleArn): run 'provisioner aws apply {cluster.Name}', or name one.");
        // IamRole takes the role's name with its path, not its ARN.
        var name = role[(role.IndexOf(":role/", StringComparison.Ordinal) + ":role/".Length)..];
        var ends = time.GetUtcNow() + Lifetime;
        return await AskAsync("ssm:CreateActivation", cluster, async ssm =>
        {
            var made = await ssm.CreateActivationAsync(new CreateActivationRequest
            {
                IamRole = name,
                RegistrationLimit = 1,
                ExpirationDate = ends.UtcDateTime,
                DefaultInstanceName = host.Name,
                Description = string.Create(CultureInfo.InvariantCulture, $"{host.Name} of cluster {cluster.EksName}, made by provisioner"),
                Tags =
                [
                    new() { Key = HostTag, Value = host.Name },
                    new() { Key = ClusterTag, Value = cluster.EksName },
                    new() { Key = ClusterArnTag, Value = $"arn:{AwsEndpoints.Partition(cluster.Spec.Region)}:eks:{cluster.Spec.Region}:{ClusterTexts.AccountOf(role)}:cluster/{cluster.EksName}" },
                ],
            }, cancellation);
            return new Joining.Activation(made.ActivationId, made.ActivationCode, ends);
        });
    }

    /// <summary>The ids (<c>mi-…</c>) of the managed instances that were made of this host's activations: its node names in the cluster.</summary>
    /// <exception cref="ClusterAccessException">AWS does not say.</exception>
    public Task<IReadOnlyList<string>> InstancesOfAsync(string host, Cluster cluster, CancellationToken cancellation) =>
        AskAsync<IReadOnlyList<string>>("ssm:DescribeInstanceInformation", cluster, async ssm =>
        {
            var found = new List<string>();
            string? next = null;
            do
            {
                var page = await ssm.DescribeInstanceInformationAsync(new DescribeInstanceInformationRequest
                {
                    Filters = [new() { Key = $"tag:{HostTag}", Values = [host] }, new() { Key = $"tag:{ClusterTag}", Values = [cluster.EksName] }],
                    NextToken = next,
                }, cancellation);
                found.AddRange((page.InstanceInformationList ?? []).Select(i => i.InstanceId));
                next = page.NextToken;
            }
            while (!string.IsNullOrEmpty(next));
            return found;
        });

    /// <inheritdoc/>
    public async Task<IReadOnlyList<string>> DeregisterAsync(string host, Cluster cluster, CancellationToken cancellation)
    {
        var instances = await InstancesOfAsync(host, cluster, cancellation);
        await AskAsync("ssm:DeregisterManagedInstance", cluster, async ssm =>
        {
            foreach (var id in instances)
                await ssm.DeregisterManagedInstanceAsync(new DeregisterManagedInstanceRequest { InstanceId = id }, cancellation);
            return 0;
        });
        return instances;
    }

    private async Task<T> AskAsync<T>(string operation, Cluster cluster, Func<AmazonSimpleSystemsManagementClient, Task<T>> ask)
    {
        using var ssm = clients.Ssm(cluster.Spec.Region);
        try
        {
            return await ask(ssm);
        }
        catch (NoAwsCredentialsException e)
        {
            throw new ClusterAccessException(e.Message, e);
        }
        catch (Exception e) when (e is AmazonServiceException or AmazonClientException or HttpRequestException)
        {
            throw new ClusterAccessException($"AWS refused {operation} for cluster {cluster.Name}: {e.Message} The appliance's role needs that right; its region is {cluster.Spec.Region}.", e);
        }
    }
}
