using System.Text.Json.Nodes;
using Provisioner.Aws.Setup;
using Provisioner.AwsDoubles;
using Provisioner.Clusters;
using Provisioner.Joining;
using Provisioner.Protocols;
using Provisioner.Resources;
using YamlDotNet.RepresentationModel;

namespace Provisioner.Tests.Aws;

/// <summary><c>provisioner aws plan | apply | check | test</c>.</summary>
public sealed class AwsCommandsTests
{
    [Theory]
    [InlineData(CredentialProvider.IamRolesAnywhere, "text")]
    [InlineData(CredentialProvider.IamRolesAnywhere, "cloudformation")]
    [InlineData(CredentialProvider.IamRolesAnywhere, "terraform")]
    [InlineData(CredentialProvider.IamRolesAnywhere, "policies")]
    [InlineData(CredentialProvider.Ssm, "text")]
    [InlineData(CredentialProvider.Ssm, "cloudformation")]
    [InlineData(CredentialProvider.Ssm, "terraform")]
    [InlineData(CredentialProvider.Ssm, "policies")]
    public void The_plan_is_as_it_was_read_and_found_right(CredentialProvider provider, string form)
    {
        var plan = Plan(provider);
        var text = form switch
        {
            "text" => AwsPlanText.Write(plan),
            "cloudformation" => CloudFormationTemplate.Everything(plan),
            "terraform" => Terraform.Everything(plan),
            _ => AwsPlanText.Policies(plan),
        };
        Golden.Match(text, $"{(provider == CredentialProvider.Ssm ? "activations" : "certificates")}.{form}");
    }

    [Theory]
    [InlineData(CredentialProvider.IamRolesAnywhere)]
    [InlineData(CredentialProvider.Ssm)]
    public void The_plan_s_files_are_well_formed_and_refer_to_what_is_in_them(CredentialProvider provider)
    {
        var plan = Plan(provider);
        var yaml = new YamlStream();
        yaml.Load(new StringReader(CloudFormationTemplate.Everything(plan)));
        var root = (YamlMappingNode)yaml.Documents.Single().RootNode;
        var resources = (YamlMappingNode)root["Resources"];
        var names = resources.Children.Keys.Select(k => ((YamlScalarNode)k).Value!).ToHashSet(StringComparer.Ordinal);
        Assert.All(root.AllNodes.OfType<YamlMappingNode>().Where(n => n.Children.ContainsKey("Fn::GetAtt")), n => Assert.Contains(((YamlScalarNode)n["Fn::GetAtt"][0]).Value!, names));
        // A policy's version is a text; without quotes it is a date to some readers.
        Assert.All(root.AllNodes.OfType<YamlScalarNode>().Where(n => n.Value == "2012-10-17"), n => Assert.NotEqual(YamlDotNet.Core.ScalarStyle.Plain, n.Style));
        Assert.Contains(plan.Authorities[0].Split('\n')[1], ((YamlScalarNode)resources["TrustAnchor"]["Properties"]["Source"]["SourceData"]["X509CertificateData"]).Value, StringComparison.Ordinal);

        var terraform = Terraform.Everything(plan);
        Assert.Equal(terraform.Count(c => c == '{'), terraform.Count(c => c == '}'));
        Assert.Equal(terraform.Count(c => c == '('), terraform.Count(c => c == ')'));
        Assert.Equal(provider == CredentialProvider.IamRolesAnywhere, terraform.Contains("\"$${aws:PrincipalTag/x509Subject/CN}\"", StringComparison.Ordinal));
        foreach (System.Text.RegularExpressions.Match reference in System.Text.RegularExpressions.Regex.Matches(terraform, @"= \[?(?<type>aws_\w+)\.(?<name>\w+)\.", System.Text.RegularExpressions.RegexOptions.NonBacktracking))
            Assert.Contains($"resource \"{reference.Groups["type"].Value}\" \"{reference.Groups["name"].Value}\" {{", terraform, StringComparison.Ordinal);

        var policies = JsonNode.Parse(AwsPlanText.Policies(plan))!.AsObject();
        Assert.Equal(["node-trust.json", "node-policy.json", "appliance-trust.json", "appliance-policy.json", "setup-policy.json"], policies.Select(p => p.Key));
        Assert.All(policies, p => Assert.Equal("2012-10-17", p.Value!["Version"]!.GetValue<string>()));
    }

    [Fact]
    public async Task What_is_made_is_right_and_making_it_again_changes_nothing()
    {
        await using var site = await AwsSite.StartAsync();
        site.Account.Clusters["prod"].AuthenticationMode = "CONFIG_MAP";
        var first = (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        foreach (var made in new[] { "trust anchor", "roles", "profile of nodes", "profile of the appliance", "revocation list", "access entry of nodes", "access entry of the appliance" })
            Assert.Contains($"created    {made}: ", first, StringComparison.Ordinal);
        foreach (var changed in new[] { "authentication mode", "remote networks", "Cluster prod" })
            Assert.Contains($"changed    {changed}: ", first, StringComparison.Ordinal);

        var spec = site.Prod.Spec;
        Assert.Equal(site.Account.Anchors.Values.Single().Arn, spec.TrustAnchorArn);
        Assert.Equal("arn:aws:iam::111122223333:role/provisioner-prod-node", spec.RoleArn);
        Assert.True(site.Account.Profiles.Values.Single(p => p.Arn == spec.ProfileArn).AcceptRoleSessionName);
        Assert.Equal(Ipv4Cidr.Parse("172.20.0.0/16"), spec.ServiceCidr);
        Assert.Equal("HYBRID_LINUX", site.Account.Clusters["prod"].AccessEntries[spec.RoleArn!].Type);
        Assert.Equal(["10.77.0.0/16"], site.Account.Clusters["prod"].NodeCidrs);
        // What get prints can be applied: the filled document is a right one.
        var yaml = (await site.Appliance.RunAsync("get", "clusters", "-o", "yaml")).Succeeded();
        Assert.Equal("cluster/prod unchanged\n", (await Appliance.CommandOutcome.OfAsync(yaml, ["apply", "-f", "-", "--socket", site.Appliance.SocketPath])).Succeeded());

        var version = site.Prod.Metadata.ResourceVersion;
        var second = (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        Assert.All(second.Split('\n', StringSplitOptions.RemoveEmptyEntries), line => Assert.StartsWith("unchanged ", line, StringComparison.Ordinal));
        Assert.Equal(12, second.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length);
        Assert.Equal(version, site.Prod.Metadata.ResourceVersion);
        Assert.Equal((1, 2, 1, 2), (site.Account.Anchors.Count, site.Account.Profiles.Count, site.Account.Crls.Count, site.Account.Roles.Count));

        Assert.Equal("Nothing wrong is found in AWS for prod.\n", (await site.Appliance.RunAsync("aws", "check", "prod")).Succeeded());
        // The appliance's own role is enough for that, too.
        await site.UseOwnCredentialsAsync();
        Assert.Equal("Nothing wrong is found in AWS for prod.\n", (await site.Appliance.RunAsync("aws", "check", "prod")).Succeeded());
        site.Account.Clusters["prod"].AccessEntries.TryRemove("arn:aws:iam::111122223333:role/provisioner-prod-appliance", out var own);
        Assert.StartsWith("appliance-access\n", (await site.Appliance.RunAsync("aws", "check", "prod")).Output, StringComparison.Ordinal);
        site.Account.Clusters["prod"].AccessEntries["arn:aws:iam::111122223333:role/provisioner-prod-appliance"] = own!;
        var denied = await site.Appliance.RunAsync("aws", "apply", "prod");
        Assert.Equal(1, denied.ExitCode);
        Assert.Contains("setup-policy.json", denied.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_apply_that_fails_says_why_and_goes_on_from_there()
    {
        await using var site = await AwsSite.StartAsync();
        site.Aws.Fault = o => o == "rolesanywhere:CreateProfile" ? AwsRefusal.Denied("not you") : null;
        var failed = await site.Appliance.RunAsync("aws", "apply", "prod");
        Assert.Equal(1, failed.ExitCode);
        Assert.Contains("failed     profile of nodes: AWS refused rolesanywhere:CreateProfile: not you", failed.Output, StringComparison.Ordinal);
        Assert.Contains("profile of nodes failed; what was done before stays", failed.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("access entry", failed.Output, StringComparison.Ordinal);
        site.Aws.Fault = null;
        var again = (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        Assert.Contains("unchanged  trust anchor: ", again, StringComparison.Ordinal);
        Assert.Contains("created    profile of nodes: ", again, StringComparison.Ordinal);

        site.Account.Clusters.TryRemove("prod", out _);
        var gone = await site.Appliance.RunAsync("aws", "apply", "prod");
        Assert.Contains("There is no EKS cluster 'prod' in eu-west-1", gone.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Check_finds_each_planted_fault_and_nothing_else()
    {
        await using var site = await AwsSite.StartSetUpAsync();
        await site.RegisterAsync("web-2", "10.77.0.9");
        var (account, cluster) = (site.Account, site.Account.Clusters["prod"]);
        var (anchor, profile, role, crl, group) = (account.Anchors.Values.Single(), account.Profiles.Values.Single(p => p.AcceptRoleSessionName), account.Roles["provisioner-prod-node"], account.Crls.Values.Single(), account.SecurityGroups["sg-0123"]);
        var (trust, policies, pem, list, entry) = (role.Trust, role.Policies, anchor.Pem, crl.Pem, cluster.AccessEntries[role.Arn]);
        var stranger = "";
        {
            using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
            using var made = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=Stranger", key, System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(99));
            stranger = made.ExportCertificatePem();
        }
        (string[] Codes, Action Plant, Action Undo)[] faults =
        [
            (["authentication-mode"], () => cluster.AuthenticationMode = "CONFIG_MAP", () => cluster.AuthenticationMode = "API"),
            (["endpoint-both"], () => cluster.PublicAccess = true, () => cluster.PublicAccess = false),
            (["endpoint-access"], () => (cluster.PublicAccess, cluster.PrivateAccess) = (true, false), () => (cluster.PublicAccess, cluster.PrivateAccess) = (false, true)),
            (["endpoint-other"], () => cluster.Endpoint = "https://other.example.com", () => cluster.Endpoint = site.Prod.Spec.Endpoint!),
            (["cluster-not-active"], () => cluster.Status = "FAILED", () => cluster.Status = "ACTIVE"),
            (["kubernetes-version"], () => cluster.Version = "1.33", () => cluster.Version = "1.34"),
            (["kubernetes-version"], () => cluster.Version = "1.38", () => cluster.Version = "1.34"),
            (["remote-network-missing"], () => cluster.NodeCidrs = [], () => cluster.NodeCidrs = ["10.77.0.0/16"]),
            (["node-network", "host-address", "security-group"], () => cluster.NodeCidrs = ["10.78.0.0/16"], () => cluster.NodeCidrs = ["10.77.0.0/16"]),
            (["pod-network"], () => cluster.PodCidrs = [], () => cluster.PodCidrs = ["10.85.0.0/16"]),
            (["security-group"], () => group.Ingress.RemoveAt(0), () => group.Ingress.Insert(0, ("tcp", 443, 443, "10.77.0.0/16"))),
            (["access-entry-missing"], () => cluster.AccessEntries.TryRemove(role.Arn, out _), () => cluster.AccessEntries[role.Arn] = entry),
            (["access-entry-type"], () => entry.Type = "EC2_LINUX", () => entry.Type = "HYBRID_LINUX"),
            (["role-missing"], () => account.Roles.TryRemove(role.Name, out _), () => account.Roles[role.Name] = role),
            (["role-list-access-entries"], () => role.Policies = Edited("eks:ListAccessEntries", "eks:ListClusters"), () => role.Policies = policies),
            (["role-describe-cluster"], () => role.Policies = Edited("eks:DescribeCluster", "eks:DescribeAddon"), () => role.Policies = policies),
            (["role-images"], () => role.Attached = [], () => role.Attached = ["arn:aws:iam::aws:policy/AmazonEC2ContainerRegistryPullOnly"]),
            (["trust-actions"], () => role.Trust = Trust("sts:SetSourceIdentity", "sts:GetFederationToken"), () => role.Trust = trust),
            (["trust-source-arn"], () => role.Trust = WithoutSourceArn(1), () => role.Trust = trust),
            (["trust-source-arn"], () => role.Trust = WithoutSourceArn(0), () => role.Trust = trust),
            (["trust-session-name"], () => role.Trust = Trust("x509Subject/CN", "x509SAN/Name/CN"), () => role.Trust = trust),
            (["trust-session-name"], () => role.Trust = Trust("sts:RoleSessionName", "aws:PrincipalTag/x509Subject/OU"), () => role.Trust = trust),
            (["trust-other-anchor"], () => role.Trust = Trust(anchor.Id, AwsAccount.NewId()), () => role.Trust = trust),
            (["profile-session-name"], () => profile.AcceptRoleSessionName = false, () => profile.AcceptRoleSessionName = true),
            (["profile-disabled"], () => profile.Enabled = false, () => profile.Enabled = true),
            (["profile-role"], () => profile.RoleArns = [], () => profile.RoleArns = [role.Arn]),
            (["profile-policy"], () => profile.SessionPolicy = "{}", () => profile.SessionPolicy = null),
            (["profile-missing"], () => account.Profiles.TryRemove(profile.Id, out _), () => account.Profiles[profile.Id] = profile),
            (["anchor-disabled"], () => anchor.Enabled = false, () => anchor.Enabled = true),
            (["anchor-authority"], () => anchor.Pem = stranger, () => anchor.Pem = pem),
            (["anchor-missing"], () => account.Anchors.TryRemove(anchor.Id, out _), () => account.Anchors[anchor.Id] = anchor),
            (["crl-missing"], () => account.Crls.TryRemove(crl.Id, out _), () => account.Crls[crl.Id] = crl),
            (["crl-disabled"], () => crl.Enabled = false, () => crl.Enabled = true),
            (["not-read"], () => site.Aws.Fault = o => o == "iam:GetRole" ? AwsRefusal.Denied("not you") : null, () => site.Aws.Fault = null),
        ];
        foreach (var (codes, plant, undo) in faults)
        {
            plant();
            var outcome = await site.Appliance.RunAsync("aws", "check", "prod", "-o", "json");
            undo();
            var found = JsonNode.Parse(outcome.Output)!["items"]!.AsArray().Select(f => f!["code"]!.GetValue<string>()).Distinct().Order(StringComparer.Ordinal).ToList();
            Assert.Equal(codes.Order(StringComparer.Ordinal), found);
            Assert.All(JsonNode.Parse(outcome.Output)!["items"]!.AsArray(), f => Assert.All(new[] { "wrong", "breaks", "remedy" }, key => Assert.NotEmpty(f![key]!.GetValue<string>())));
        }
        Assert.Equal("Nothing wrong is found in AWS for prod.\n", (await site.Appliance.RunAsync("aws", "check", "prod")).Succeeded());

        // A list that is older than ours: somebody put back what was there yesterday.
        (await site.Appliance.RunAsync("ca", "crl", "--refresh")).Succeeded();
        for (var i = 0; i < 500 && crl.Pem.AsSpan().SequenceEqual(list); i++)
            await Task.Delay(20);
        crl.Pem = list;
        var old = await site.Appliance.RunAsync("aws", "check", "prod");
        Assert.Equal(1, old.ExitCode);
        Assert.StartsWith("crl-old\n  wrong   The revocation list at the trust anchor is number", old.Output, StringComparison.Ordinal);

        JsonObject Trust(string what, string instead) => JsonNode.Parse(trust.ToJsonString().Replace(what, instead, StringComparison.Ordinal))!.AsObject();

        Dictionary<string, JsonObject> Edited(string what, string instead) => policies.ToDictionary(p => p.Key, p => JsonNode.Parse(p.Value.ToJsonString().Replace(what, instead, StringComparison.Ordinal))!.AsObject());

        JsonObject WithoutSourceArn(int statement)
        {
            var edited = trust.DeepClone().AsObject();
            edited["Statement"]![statement]!["Condition"]!.AsObject().Remove("ArnEquals");
            return edited;
        }
    }

    [Fact]
    public async Task A_trial_says_whether_a_host_will_be_let_in_and_who_refuses_it()
    {
        await using var site = await AwsSite.StartSetUpAsync();
        var (account, profile, role) = (site.Account, site.Account.Profiles.Values.Single(p => p.AcceptRoleSessionName), site.Account.Roles["provisioner-prod-node"]);
        Assert.StartsWith("web-1 will be let in: Roles Anywhere gave a session until ", (await site.Appliance.RunAsync("aws", "test", "web-1")).Succeeded(), StringComparison.Ordinal);
        // It counts as nobody's certificate: the host has not enrolled by it.
        Assert.Null(site.Appliance.Snapshot.GoodCertificateOf("web-1", site.Appliance.Now));
        Assert.Empty(site.Appliance.Snapshot.CertificatesOf("web-1"));

        var trust = role.Trust;
        await RefusedAsync("profile", () => profile.AcceptRoleSessionName = false, () => profile.AcceptRoleSessionName = true);
        await RefusedAsync("trust anchor", () => account.Anchors.Values.Single().Enabled = false, () => account.Anchors.Values.Single().Enabled = true);
        await RefusedAsync("trust policy", () => role.Trust = JsonNode.Parse(trust.ToJsonString().Replace("x509Subject/CN", "x509SAN/URI", StringComparison.Ordinal))!.AsObject(), () => role.Trust = trust);
        await RefusedAsync("role", () => account.Roles.TryRemove(role.Name, out _), () => account.Roles[role.Name] = role);
        site.Aws.Fault = o => o == "rolesanywhere:CreateSession" ? new AwsRefusal(503, "ServiceUnavailable", "away") : null;
        Assert.Contains("web-1 could not be tried: AWS refused rolesanywhere:CreateSession: away", (await site.Appliance.RunAsync("aws", "test", "web-1")).Error, StringComparison.Ordinal);
        site.Aws.Fault = null;

        await site.Appliance.Writer.ChangeAsync(editor => { editor.Put(new Provisioner.Hosts.Host(new Metadata("alone"), new Provisioner.Hosts.HostSpec { MacAddresses = [new MacAddress(0x525400999999)], Architecture = Provisioner.Boot.CpuArchitecture.X64 })); return 0; });
        Assert.Contains("is to join no cluster", (await site.Appliance.RunAsync("aws", "test", "alone")).Error, StringComparison.Ordinal);

        async Task RefusedAsync(string by, Action plant, Action undo)
        {
            plant();
            var outcome = await site.Appliance.RunAsync("aws", "test", "web-1");
            undo();
            Assert.Equal(1, outcome.ExitCode);
            Assert.StartsWith($"web-1 would be refused by the {by}: ", outcome.Output, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task An_activation_is_for_one_host_and_can_be_taken_back()
    {
        await using var site = await AwsSite.StartAsync(cluster: AwsSite.Cluster.Replace("region:", "credentialProvider: ssm, region:", StringComparison.Ordinal));
        (await site.Appliance.RunAsync("aws", "apply", "prod")).Succeeded();
        await site.UseOwnCredentialsAsync();
        var activations = site.Service<IActivations>();
        var made = await activations.CreateAsync(site.Appliance.Snapshot.Hosts["web-1"], site.Prod, default);
        Assert.DoesNotContain(made.Code, made.ToString(), StringComparison.Ordinal);
        Assert.Matches("^.{20,250}$", made.Code);
        var there = site.Account.Activations[made.Id];
        Assert.Equal((1, "web-1", "arn:aws:eks:eu-west-1:111122223333:cluster/prod"), (there.Limit, there.Tags["provisioner-host"], there.Tags["EKSClusterARN"]));
        Assert.InRange(there.ExpiresAt - site.Appliance.Now, TimeSpan.FromMinutes(110), TimeSpan.FromMinutes(121));

        var instance = site.Aws.RegisterInstance(made.Id, made.Code);
        Assert.Throws<AwsRefusal>(() => site.Aws.RegisterInstance(made.Id, made.Code));
        var ssm = site.Service<Provisioner.Aws.SsmActivations>();
        Assert.Equal([instance], await ssm.InstancesOfAsync("web-1", site.Prod, default));
        Assert.Empty(await ssm.InstancesOfAsync("web-2", site.Prod, default));
        Assert.Equal([instance], await ssm.DeregisterAsync("web-1", site.Prod, default));
        Assert.Empty(await ssm.DeregisterAsync("web-1", site.Prod, default));

        site.Aws.Fault = o => o == "ssm:CreateActivation" ? new AwsRefusal(400, "InvalidParameters", "no more") : null;
        var refused = await Assert.ThrowsAsync<ClusterAccessException>(() => activations.CreateAsync(site.Appliance.Snapshot.Hosts["web-1"], site.Prod, default));
        Assert.Contains("AWS refused ssm:CreateActivation for cluster prod", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("aws: { credentials: roles-anywhere }", "trustAnchorArn")]
    [InlineData("aws: { commonName: web-1 }", "could be a host's name")]
    [InlineData("aws: { commonName: \"a b@c\" }", "is not a name that STS takes")]
    [InlineData("aws: { endpoint: \"https://{what}.example.com\" }", "other braces")]
    [InlineData("aws: { credentials: keys }", "one of none, roles-anywhere, default")]
    public void A_wrong_configuration_is_refused(string text, string why)
    {
        var refused = Assert.Throws<ChangeRefusedException>(() => Provisioner.Appliance.ApplianceConfiguration.Read(text));
        Assert.Contains(why, refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("eks:*", "eks:DescribeCluster", true)]
    [InlineData("*", "anything", true)]
    [InlineData("eks:Describe*", "EKS:describeCluster", true)]
    [InlineData("arn:aws:*:eu-west-?:*/prod", "arn:aws:eks:eu-west-1:1:cluster/prod", true)]
    [InlineData("eks:Describe", "eks:DescribeCluster", false)]
    [InlineData("*Cluster", "eks:DescribeClusters", false)]
    [InlineData("", "x", false)]
    public void Patterns_of_IAM_are_understood(string pattern, string text, bool matches) => Assert.Equal(matches, PolicyReading.Matches(pattern, text));

    [Fact]
    public async Task What_is_wrong_with_a_command_is_said()
    {
        await using var site = await AwsSite.StartAsync();
        Assert.Contains("There is no Cluster 'prud'. Did you mean 'prod'?", (await site.Appliance.RunAsync("aws", "plan", "prud")).Error, StringComparison.Ordinal);
        Assert.Contains("twelve digits", (await site.Appliance.RunAsync("aws", "plan", "prod", "--account", "12")).Error, StringComparison.Ordinal);
        Assert.Equal(2, (await site.Appliance.RunAsync("aws", "plan", "prod", "--as", "pulumi")).ExitCode);
        Assert.Contains("ClusterRoleBinding", (await site.Appliance.RunAsync("aws", "plan", "prod", "--as", "kubernetes")).Succeeded(), StringComparison.Ordinal);
        Assert.Contains("account 444455556666", (await site.Appliance.RunAsync("aws", "plan", "prod", "--account", "444455556666")).Succeeded(), StringComparison.Ordinal);
    }

    private static AwsPlan Plan(CredentialProvider provider) => new()
    {
        Cluster = new Cluster(new Metadata("prod"), new ClusterSpec
        {
            Region = "eu-west-1", KubernetesVersion = "1.34", CredentialProvider = provider, RemoteNodeNetworks = [Ipv4Cidr.Parse("10.77.0.0/16")], RemotePodNetworks = [Ipv4Cidr.Parse("10.85.0.0/16")],
        }),
        Account = "111122223333",
        ApplianceName = "appliance@provisioner",
        Authorities = ["-----BEGIN CERTIFICATE-----\nMIIBexample\n-----END CERTIFICATE-----"],
        UsesRolesAnywhere = provider == CredentialProvider.IamRolesAnywhere,
        UsesSsm = provider == CredentialProvider.Ssm,
    };
}
