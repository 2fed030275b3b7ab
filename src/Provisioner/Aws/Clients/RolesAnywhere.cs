using System.Security.Cryptography;
using System.Text;
using Provisioner.Protocols.AwsSigning;

namespace Provisioner.Aws.Clients;

/// <summary>
/// IAM Roles Anywhere in one region. Operations and records have the names of the package AWSSDK.IAMRolesAnywhere, which is not to be had here;
/// lists come whole. https://docs.aws.amazon.com/rolesanywhere/latest/APIReference/
/// </summary>
internal interface IAmazonIAMRolesAnywhere
{
    Task<IReadOnlyList<TrustAnchorDetail>> ListTrustAnchorsAsync(CancellationToken cancellation);

    Task<TrustAnchorDetail> GetTrustAnchorAsync(string trustAnchorId, CancellationToken cancellation);

    Task<TrustAnchorDetail> CreateTrustAnchorAsync(CreateTrustAnchorRequest request, CancellationToken cancellation);

    Task<TrustAnchorDetail> UpdateTrustAnchorAsync(string trustAnchorId, UpdateTrustAnchorRequest request, CancellationToken cancellation);

    Task<TrustAnchorDetail> EnableTrustAnchorAsync(string trustAnchorId, CancellationToken cancellation);

    Task<IReadOnlyList<ProfileDetail>> ListProfilesAsync(CancellationToken cancellation);

    Task<ProfileDetail> GetProfileAsync(string profileId, CancellationToken cancellation);

    Task<ProfileDetail> CreateProfileAsync(CreateProfileRequest request, CancellationToken cancellation);

    Task<ProfileDetail> UpdateProfileAsync(string profileId, UpdateProfileRequest request, CancellationToken cancellation);

    Task<ProfileDetail> EnableProfileAsync(string profileId, CancellationToken cancellation);

    Task<IReadOnlyList<CrlDetail>> ListCrlsAsync(CancellationToken cancellation);

    Task<CrlDetail> ImportCrlAsync(ImportCrlRequest request, CancellationToken cancellation);

    Task<CrlDetail> UpdateCrlAsync(string crlId, UpdateCrlRequest request, CancellationToken cancellation);

    Task<CrlDetail> EnableCrlAsync(string crlId, CancellationToken cancellation);

    Task<CrlDetail> DeleteCrlAsync(string crlId, CancellationToken cancellation);

    /// <summary>One page: each is a request, and the control plane takes about one a second.</summary>
    Task<ListSubjectsResponse> ListSubjectsAsync(string? nextToken, CancellationToken cancellation);

    Task<SubjectDetail> GetSubjectAsync(string subjectId, CancellationToken cancellation);
}

internal sealed record SourceData(string? X509CertificateData = null, string? AcmPcaArn = null);

internal sealed record Source(string SourceType, SourceData? SourceData)
{
    public const string CertificateBundle = "CERTIFICATE_BUNDLE";
}

internal sealed record Tag(string Key, string Value);

internal sealed record TrustAnchorDetail(string TrustAnchorId, string TrustAnchorArn, string Name, bool Enabled, Source? Source);

internal sealed record CreateTrustAnchorRequest(string Name, Source Source, bool Enabled = true, IReadOnlyList<Tag>? Tags = null);

internal sealed record UpdateTrustAnchorRequest(Source Source, string? Name = null);

internal sealed record ProfileDetail(string ProfileId, string ProfileArn, string Name, bool Enabled, bool AcceptRoleSessionName = false, int? DurationSeconds = null, IReadOnlyList<string>? RoleArns = null,
    string? SessionPolicy = null, IReadOnlyList<string>? ManagedPolicyArns = null);

internal sealed record CreateProfileRequest(string Name, IReadOnlyList<string> RoleArns, bool AcceptRoleSessionName, int DurationSeconds = 3600, bool Enabled = true, IReadOnlyList<Tag>? Tags = null);

internal sealed record UpdateProfileRequest(IReadOnlyList<string>? RoleArns = null, bool? AcceptRoleSessionName = null, int? DurationSeconds = null, string? Name = null);

/// <param name="CrlData">The list as PEM, in base64.</param>
internal sealed record CrlDetail(string CrlId, string CrlArn, string Name, string TrustAnchorArn, bool Enabled, byte[]? CrlData = null);

internal sealed record ImportCrlRequest(string Name, byte[] CrlData, string TrustAnchorArn, bool Enabled = true, IReadOnlyList<Tag>? Tags = null);

internal sealed record UpdateCrlRequest(byte[] CrlData, string? Name = null);

internal sealed record SubjectSummary(string SubjectId, string SubjectArn, string? X509Subject, bool Enabled, DateTimeOffset? LastSeenAt);

internal sealed record ListSubjectsResponse(IReadOnlyList<SubjectSummary>? Subjects, string? NextToken);

internal sealed record CredentialSummary(string? SerialNumber, DateTimeOffset? SeenAt, bool Failed = false, string? X509CertificateData = null);

internal sealed record SubjectDetail(string SubjectId, string SubjectArn, string? X509Subject, DateTimeOffset? LastSeenAt, IReadOnlyList<CredentialSummary>? Credentials = null);

/// <summary>The client.</summary>
internal sealed class RolesAnywhereClient(AwsApi api, string region) : IAmazonIAMRolesAnywhere
{
    public async Task<IReadOnlyList<TrustAnchorDetail>> ListTrustAnchorsAsync(CancellationToken cancellation) =>
        await AllAsync<TrustAnchorPage, TrustAnchorDetail>("ListTrustAnchors", "/trustanchors", page => (page.TrustAnchors, page.NextToken), cancellation);

    public async Task<TrustAnchorDetail> GetTrustAnchorAsync(string trustAnchorId, CancellationToken cancellation) =>
        (await SendAsync<TrustAnchorAnswer>("GetTrustAnchor", HttpMethod.Get, Item("trustanchor", trustAnchorId), cancellation)).TrustAnchor;

    public async Task<TrustAnchorDetail> CreateTrustAnchorAsync(CreateTrustAnchorRequest request, CancellationToken cancellation) =>
        (await SendAsync<TrustAnchorAnswer>("CreateTrustAnchor", HttpMethod.Post, "/trustanchors", cancellation, request)).TrustAnchor;

    public async Task<TrustAnchorDetail> UpdateTrustAnchorAsync(string trustAnchorId, UpdateTrustAnchorRequest request, CancellationToken cancellation) =>
        (await SendAsync<TrustAnchorAnswer>("UpdateTrustAnchor", HttpMethod.Patch, Item("trustanchor", trustAnchorId), cancellation, request)).TrustAnchor;

    public async Task<TrustAnchorDetail> EnableTrustAnchorAsync(string trustAnchorId, CancellationToken cancellation) =>
        (await SendAsync<TrustAnchorAnswer>("EnableTrustAnchor", HttpMethod.Post, Item("trustanchor", trustAnchorId) + "/enable", cancellation)).TrustAnchor;

    public async Task<IReadOnlyList<ProfileDetail>> ListProfilesAsync(CancellationToken cancellation) =>
        await AllAsync<ProfilePage, ProfileDetail>("ListProfiles", "/profiles", page => (page.Profiles, page.NextToken), cancellation);

    public async Task<ProfileDetail> GetProfileAsync(string profileId, CancellationToken cancellation) =>
        (await SendAsync<ProfileAnswer>("GetProfile", HttpMethod.Get, Item("profile", profileId), cancellation)).Profile;

    public async Task<ProfileDetail> CreateProfileAsync(CreateProfileRequest request, CancellationToken cancellation) =>
        (await SendAsync<ProfileAnswer>("CreateProfile", HttpMethod.Post, "/profiles", cancellation, request)).Profile;

    public async Task<ProfileDetail> UpdateProfileAsync(string profileId, UpdateProfileRequest request, CancellationToken cancellation) =>
        (await SendAsync<ProfileAnswer>("UpdateProfile", HttpMethod.Patch, Item("profile", profileId), cancellation, request)).Profile;

    public async Task<ProfileDetail> EnableProfileAsync(string profileId, CancellationToken cancellation) =>
        (await SendAsync<ProfileAnswer>("EnableProfile", HttpMethod.Post, Item("profile", profileId) + "/enable", cancellation)).Profile;

    public async Task<IReadOnlyList<CrlDetail>> ListCrlsAsync(CancellationToken cancellation) =>
        await AllAsync<CrlPage, CrlDetail>("ListCrls", "/crls", page => (page.Crls, page.NextToken), cancellation);

    public async Task<CrlDetail> ImportCrlAsync(ImportCrlRequest request, CancellationToken cancellation) =>
        (await SendAsync<CrlAnswer>("ImportCrl", HttpMethod.Post, "/crls", cancellation, request)).Crl;

    public async Task<CrlDetail> UpdateCrlAsync(string crlId, UpdateCrlRequest request, CancellationToken cancellation) =>
        (await SendAsync<CrlAnswer>("UpdateCrl", HttpMethod.Patch, Item("crl", crlId), cancellation, request)).Crl;

    public async Task<CrlDetail> EnableCrlAsync(string crlId, CancellationToken cancellation) =>
        (await SendAsync<CrlAnswer>("EnableCrl", HttpMethod.Post, Item("crl", crlId) + "/enable", cancellation)).Crl;

    public async Task<CrlDetail> DeleteCrlAsync(string crlId, CancellationToken cancellation) =>
        (await SendAsync<CrlAnswer>("DeleteCrl", HttpMethod.Delete, Item("crl", crlId), cancellation)).Crl;

    public Task<ListSubjectsResponse> ListSubjectsAsync(string? nextToken, CancellationToken cancellation) =>
        SendAsync<ListSubjectsResponse>("ListSubjects", HttpMethod.Get, "/subjects", cancellation, null, ("nextToken", nextToken));

    public async Task<SubjectDetail> GetSubjectAsync(string subjectId, CancellationToken cancellation) =>
        (await SendAsync<SubjectAnswer>("GetSubject", HttpMethod.Get, Item("subject", subjectId), cancellation)).Subject;

    private static string Item(string kind, string id) => $"/{kind}/{CanonicalRequest.Escape(id)}";

    private Task<T> SendAsync<T>(string operation, HttpMethod method, string path, CancellationToken cancellation, object? body = null, params (string Name, string? Value)[] query) =>
        api.RestAsync<T>(RolesAnywhereSigning.Service, region, operation, method, path, cancellation, body, query);

    private async Task<List<TItem>> AllAsync<TPage, TItem>(string operation, string path, Func<TPage, (IReadOnlyList<TItem>? Items, string? Next)> read, CancellationToken cancellation)
    {
        var all = new List<TItem>();
        string? next = null;
        do
        {
            var (items, token) = read(await SendAsync<TPage>(operation, HttpMethod.Get, path, cancellation, null, ("nextToken", next)));
            all.AddRange(items ?? []);
            next = token;
        }
        while (!string.IsNullOrEmpty(next));
        return all;
    }

    private sealed record TrustAnchorAnswer(TrustAnchorDetail TrustAnchor);

    private sealed record TrustAnchorPage(IReadOnlyList<TrustAnchorDetail>? TrustAnchors, string? NextToken);

    private sealed record ProfileAnswer(ProfileDetail Profile);

    private sealed record ProfilePage(IReadOnlyList<ProfileDetail>? Profiles, string? NextToken);

    private sealed record CrlAnswer(CrlDetail Crl);

    private sealed record CrlPage(IReadOnlyList<CrlDetail>? Crls, string? NextToken);

    private sealed record SubjectAnswer(SubjectDetail Subject);
}

/// <summary>What stands in a trust anchor and in a list imported there.</summary>
internal static class RolesAnywhereData
{
    /// <summary>The certificates of a bundle, DER; none when it cannot be read.</summary>
    public static IReadOnlyList<byte[]> Certificates(TrustAnchorDetail anchor)
    {
        var found = new List<byte[]>();
        var rest = (anchor.Source?.SourceData?.X509CertificateData ?? "").AsSpan();
        while (PemEncoding.TryFind(rest, out var fields))
        {
            if (rest[fields.Label] is "CERTIFICATE")
                found.Add(Convert.FromBase64String(rest[fields.Base64Data].ToString()));
            rest = rest[fields.Location.End..];
        }
        return found;
    }

    /// <summary>The list's number and whose it is; null when it cannot be read.</summary>
    public static (System.Numerics.BigInteger Number, byte[] Der)? Read(CrlDetail crl)
    {
        try
        {
            var pem = Encoding.ASCII.GetString(crl.CrlData ?? []);
            if (!PemEncoding.TryFind(pem, out var fields))
                return null;
            var der = Convert.FromBase64String(pem[fields.Base64Data]);
            _ = System.Security.Cryptography.X509Certificates.CertificateRevocationListBuilder.Load(der, out var number, out _);
            return (number, der);
        }
        catch (Exception e) when (e is CryptographicException or FormatException)
        {
            return null;
        }
    }
}
