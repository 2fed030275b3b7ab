using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;
using Provisioner.Aws;
using Provisioner.Aws.Credentials;
using Provisioner.AwsDoubles;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.Tests.Aws;

/// <summary>CreateSession against what verifies it as AWS does: the right call is let in, and each wrong one is refused for its own reason.</summary>
public sealed class CreateSessionTests : IAsyncLifetime
{
    private static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(TimeProvider.System.GetUtcNow().ToUnixTimeSeconds());

    private readonly ECDsa authorityKey = ECDsa.Create(ECCurve.NamedCurves.nistP384);
    private readonly AwsConnection connection = new();
    private AwsDouble aws = null!;
    private X509Certificate2 authority = null!;
    private DoubleAnchor anchor = null!;
    private DoubleProfile profile = null!;
    private DoubleRole role = null!;

    public async ValueTask InitializeAsync()
    {
        aws = await AwsDouble.StartAsync();
        authority = Authority(authorityKey);
        var account = aws.Account;
        anchor = account.Anchors["a"] = new DoubleAnchor { Id = "a", Arn = "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a", Name = "a", Pem = authority.ExportCertificatePem() };
        role = account.Roles["node"] = new DoubleRole { Name = "node", Arn = "arn:aws:iam::111122223333:role/node", Trust = JsonNode.Parse(Trust)!.AsObject() };
        profile = account.Profiles["p"] = new DoubleProfile { Id = "p", Arn = "arn:aws:rolesanywhere:eu-west-1:111122223333:profile/p", Name = "p", AcceptRoleSessionName = true, RoleArns = [role.Arn] };
    }

    public async ValueTask DisposeAsync()
    {
        await aws.DisposeAsync();
        connection.Dispose();
        authority.Dispose();
        authorityKey.Dispose();
    }

    [Theory]
    [InlineData("p256")]
    [InlineData("p384")]
    [InlineData("rsa2048")]
    public async Task A_host_is_let_in_under_its_own_name(string kind)
    {
        using var key = Key(kind);
        var keys = await AskAsync(Leaf("web-1", key), key);

        Assert.StartsWith("ASIA", keys.AccessKeyId, StringComparison.Ordinal);
        Assert.InRange(keys.Expiration!.Value, Now.AddMinutes(59), Now.AddMinutes(62));
        Assert.Equal("arn:aws:sts::111122223333:assumed-role/node/web-1", aws.Account.Keys[keys.AccessKeyId].Principal);
        Assert.DoesNotContain(keys.SecretAccessKey, keys.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_certificate_in_between_is_sent_with_it()
    {
        using var middleKey = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var middle = Signed(Request("CN=Middle", middleKey, isAuthority: true), authority, authorityKey);
        using var key = Key("p256");
        using var leaf = Signed(Request("CN=web-1", key), middle, middleKey);
        var call = Call(leaf) with { Chain = [middle.RawData] };

        await SendAsync(call.Sign(key, Now));
        Assert.Contains("does not chain", (await Assert.ThrowsAsync<AwsException>(() => SendAsync((call with { Chain = [] }).Sign(key, Now)))).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_wrong_call_is_refused_for_its_own_reason()
    {
        using var key = Key("p256");
        using var leaf = Leaf("web-1", key);
        var right = Call(leaf);
        await SendAsync(right.Sign(key, Now));

        // The signature.
        using var other = Key("p256");
        await RefusedAsync("signature does not match", right.Sign(other, Now));
        await RefusedAsync("serial number in Credential", (right with { Serial = new byte[] { 1, 2, 3 } }).Sign(key, Now));
        await RefusedAsync("too far from the current time", right.Sign(key, Now.AddMinutes(-6)));
        await RefusedAsync("too far from the current time", right.Sign(key, Now.AddMinutes(6)));
        await RefusedAsync("scoped to rolesanywhere in eu-west-1", (right with { Region = "eu-west-2" }).Sign(key, Now));
        var signed = right.Sign(key, Now);
        await RefusedAsync("signature does not match", signed with { Body = "{}"u8.ToArray() });
        await RefusedAsync("signature does not match", signed with { Target = signed.Target.Replace("profile%2Fp", "profile%2Fq", StringComparison.Ordinal) });
        await RefusedAsync("Unreadable Authorization", signed with { Headers = [.. signed.Headers.Where(h => h.Key != "Authorization")] });

        // What is asked for.
        await RefusedAsync("durationSeconds", (right with { DurationSeconds = 899 }).Sign(key, Now));
        await RefusedAsync("durationSeconds", (right with { DurationSeconds = 3601 }).Sign(key, Now));
        await RefusedAsync("characters that STS", (right with { RoleSessionName = "web 1" }).Sign(key, Now));
        await RefusedAsync("Trust anchor not found", (right with { TrustAnchorArn = anchor.Arn + "x" }).Sign(key, Now));
        await RefusedAsync("Profile not found", (right with { ProfileArn = profile.Arn + "x" }).Sign(key, Now));
        await RefusedAsync("not in the profile", (right with { RoleArn = role.Arn + "x" }).Sign(key, Now));
        await RefusedAsync("does not allow sts:AssumeRole", (right with { RoleSessionName = "web-2" }).Sign(key, Now));

        // What stands there.
        await RefusedWhileAsync("Trust anchor is disabled", () => anchor.Enabled = false, () => anchor.Enabled = true, right, key);
        await RefusedWhileAsync("Profile is disabled", () => profile.Enabled = false, () => profile.Enabled = true, right, key);
        await RefusedWhileAsync("does not accept a role session name", () => profile.AcceptRoleSessionName = false, () => profile.AcceptRoleSessionName = true, right, key);
        await RefusedWhileAsync("does not allow sts:TagSession", () => role.Trust = JsonNode.Parse(Trust.Replace("\"sts:TagSession\",", "", StringComparison.Ordinal))!.AsObject(), Restore, right, key);
        await RefusedWhileAsync("does not allow sts:AssumeRole", () => role.Trust = JsonNode.Parse(Trust.Replace("trust-anchor/a", "trust-anchor/b", StringComparison.Ordinal))!.AsObject(), Restore, right, key);
        await SendAsync(right.Sign(key, Now));

        void Restore() => role.Trust = JsonNode.Parse(Trust)!.AsObject();
    }

    [Fact]
    public async Task Each_wrong_certificate_is_refused_for_its_own_reason()
    {
        using var key = Key("p256");
        using var strangerKey = Key("p256");
        using var stranger = Authority((ECDsa)strangerKey);

        await RefusedAsync("does not chain", Signed(Request("CN=web-1", key), stranger, (ECDsa)strangerKey), key);
        await RefusedAsync("basic constraints", Signed(Request("CN=web-1", key, isAuthority: true), authority, authorityKey), key);
        await RefusedAsync("basic constraints", Signed(Request("CN=web-1", key, constraints: false), authority, authorityKey), key);
        await RefusedAsync("digital signature", Signed(Request("CN=web-1", key, usage: X509KeyUsageFlags.NonRepudiation), authority, authorityKey), key);
        await RefusedAsync("expired, or not yet valid", Signed(Request("CN=web-1", key), authority, authorityKey, Now.AddDays(-2), Now.AddDays(-1)), key);
        await RefusedAsync("expired, or not yet valid", Signed(Request("CN=web-1", key), authority, authorityKey, Now.AddDays(1), Now.AddDays(2)), key);

        using var revoked = Leaf("web-1", key);
        var list = new CertificateRevocationListBuilder();
        list.AddEntry(revoked);
        var pem = PemEncoding.WriteString("X509 CRL", list.Build(authority.CopyWithPrivateKey(authorityKey), 7, Now.AddDays(7), HashAlgorithmName.SHA384));
        var crl = aws.Account.Crls["c"] = new DoubleCrl { Id = "c", Name = "c", AnchorArn = anchor.Arn, Pem = System.Text.Encoding.ASCII.GetBytes(pem) };
        await RefusedAsync("revoked", revoked, key);
        await AskAsync(Leaf("web-1", key), key);
        crl.Enabled = false;
        await AskAsync(revoked, key);
    }

    [Fact]
    public async Task What_cannot_be_reached_or_read_is_said()
    {
        using var key = Key("p256");
        using var leaf = Leaf("web-1", key);
        aws.Fault = _ => new AwsRefusal(500, "InternalServerException", "try again");
        Assert.True((await Assert.ThrowsAsync<AwsException>(() => AskAsync(leaf, key))).IsPassing);
        var url = aws.Url;
        await aws.DisposeAsync();
        var exception = await Assert.ThrowsAsync<AwsException>(() => connection.SendAsync("x:Y", HttpMethod.Get, url, [], null, default));
        Assert.Equal((0, "Unreachable"), (exception.Status, exception.Code));
        Assert.Contains("x:Y could not be asked of AWS: 127.0.0.1", exception.Message, StringComparison.Ordinal);
    }

    private const string Trust = """
        {"Version":"2012-10-17","Statement":[
         {"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":["sts:TagSession","sts:SetSourceIdentity"],
          "Condition":{"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"}}},
         {"Effect":"Allow","Principal":{"Service":"rolesanywhere.amazonaws.com"},"Action":"sts:AssumeRole",
          "Condition":{"StringEquals":{"sts:RoleSessionName":"${aws:PrincipalTag/x509Subject/CN}"},"ArnEquals":{"aws:SourceArn":"arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/a"}}}]}
        """;

    private async Task RefusedWhileAsync(string why, Action spoil, Action restore, CreateSessionCall call, AsymmetricAlgorithm key)
    {
        spoil();
        await RefusedAsync(why, call.Sign(key, Now));
        restore();
    }

    private async Task RefusedAsync(string why, X509Certificate2 leaf, AsymmetricAlgorithm key) => await RefusedAsync(why, Call(leaf).Sign(key, Now));

    private async Task RefusedAsync(string why, SignedCall call)
    {
        var exception = await Assert.ThrowsAsync<AwsException>(() => SendAsync(call));
        Assert.Contains(why, exception.Message, StringComparison.OrdinalIgnoreCase);
        Assert.InRange(exception.Status, 400, 404);
    }

    private Task<string> SendAsync(SignedCall call) => connection.SendAsync("rolesanywhere:CreateSession", HttpMethod.Post, new Uri(aws.Url, call.Target), call.Headers, call.Body, default);

    private Task<AwsKeys> AskAsync(X509Certificate2 leaf, AsymmetricAlgorithm key) =>
        new SessionClient(connection, new AwsEndpoints(new AwsOptions { Endpoint = aws.Url.AbsoluteUri.TrimEnd('/') }), TimeProvider.System)
            .CreateSessionAsync(new SessionIdentity(leaf.RawData, leaf.SerialNumberBytes.ToArray(), key), anchor.Arn, profile.Arn, role.Arn, "web-1", 3600, default);

    private CreateSessionCall Call(X509Certificate2 leaf) => new()
    {
        Region = "eu-west-1",
        Host = aws.Url.Authority,
        TrustAnchorArn = anchor.Arn,
        ProfileArn = profile.Arn,
        RoleArn = role.Arn,
        RoleSessionName = "web-1",
        Certificate = leaf.RawData,
        Serial = leaf.SerialNumberBytes,
    };

    private X509Certificate2 Leaf(string name, AsymmetricAlgorithm key) => Signed(Request($"CN={name}", key), authority, authorityKey);

    private static X509Certificate2 Signed(CertificateRequest request, X509Certificate2 by, ECDsa key, DateTimeOffset? from = null, DateTimeOffset? until = null)
    {
        return request.Create(by.SubjectName, X509SignatureGenerator.CreateForECDsa(key), from ?? Now.AddMinutes(-5), until ?? Now.AddDays(1), RandomNumberGenerator.GetBytes(16));
    }

    private static CertificateRequest Request(string subject, AsymmetricAlgorithm key, bool isAuthority = false, bool constraints = true, X509KeyUsageFlags? usage = null)
    {
        var name = new X500DistinguishedName(subject);
        var request = key is RSA rsa ? new CertificateRequest(name, rsa, HashAlgorithmName.SHA384, RSASignaturePadding.Pkcs1) : new CertificateRequest(name, (ECDsa)key, HashAlgorithmName.SHA384);
        if (constraints)
            request.CertificateExtensions.Add(new X509BasicConstraintsExtension(isAuthority, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(usage ?? (isAuthority ? X509KeyUsageFlags.KeyCertSign | X509KeyUsageFlags.CrlSign : X509KeyUsageFlags.DigitalSignature), true));
        return request;
    }

    private static X509Certificate2 Authority(ECDsa key)
    {
        var request = Request("CN=Authority " + Convert.ToHexString(RandomNumberGenerator.GetBytes(4)), key, isAuthority: true);
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        using var made = request.CreateSelfSigned(Now.AddDays(-1), Now.AddDays(365));
        return X509CertificateLoader.LoadCertificate(made.RawData);
    }

    private static AsymmetricAlgorithm Key(string kind) => kind switch
    {
        "p256" => ECDsa.Create(ECCurve.NamedCurves.nistP256),
        "p384" => ECDsa.Create(ECCurve.NamedCurves.nistP384),
        _ => RSA.Create(2048),
    };
}
