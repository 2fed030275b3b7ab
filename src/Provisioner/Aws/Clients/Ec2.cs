using System.Globalization;
using System.Xml.Linq;

namespace Provisioner.Aws.Clients;

/// <summary>EC2, as far as a cluster's security groups are read.</summary>
internal interface IAmazonEC2
{
    Task<IReadOnlyList<SecurityGroup>> DescribeSecurityGroupsAsync(IReadOnlyList<string> groupIds, CancellationToken cancellation);
}

internal sealed record SecurityGroup(string GroupId, IReadOnlyList<IpPermission> IpPermissions);

/// <param name="IpProtocol"><c>tcp</c>, or <c>-1</c> for all.</param>
internal sealed record IpPermission(string IpProtocol, int? FromPort, int? ToPort, IReadOnlyList<string> Ipv4Ranges)
{
    public bool Allows(int tcpPort) => IpProtocol == "-1" || IpProtocol is "tcp" or "6" && FromPort <= tcpPort && tcpPort <= ToPort;
}

/// <summary>The client.</summary>
internal sealed class Ec2Client(AwsApi api, string region) : IAmazonEC2
{
    public async Task<IReadOnlyList<SecurityGroup>> DescribeSecurityGroupsAsync(IReadOnlyList<string> groupIds, CancellationToken cancellation)
    {
        var answer = await api.QueryAsync("ec2", region, "2016-11-15", "DescribeSecurityGroups",
            groupIds.Select((id, i) => KeyValuePair.Create(string.Create(CultureInfo.InvariantCulture, $"GroupId.{i + 1}"), id)), cancellation);
        return [.. Items(answer, "securityGroupInfo").Select(group => new SecurityGroup(Value(group, "groupId") ?? "", [.. Items(group, "ipPermissions").Select(Permission)]))];
    }

    private static IpPermission Permission(XElement item) => new(Value(item, "ipProtocol") ?? "", Number(item, "fromPort"), Number(item, "toPort"),
        [.. Items(item, "ipRanges").Select(range => Value(range, "cidrIp")).OfType<string>()]);

    private static IEnumerable<XElement> Items(XElement xml, string name) => xml.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Elements() ?? [];

    private static string? Value(XElement xml, string name) => xml.Elements().FirstOrDefault(e => e.Name.LocalName == name)?.Value;

    private static int? Number(XElement xml, string name) => int.TryParse(Value(xml, name), NumberStyles.Integer, CultureInfo.InvariantCulture, out var number) ? number : null;
}
