using System.Globalization;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json.Nodes;

namespace Provisioner.AwsDoubles;

/// <summary>What a route does with a body.</summary>
internal delegate (int Status, JsonObject Answer) Operation(JsonObject body, SignedRequest request);

/// <summary>The control plane of IAM Roles Anywhere.</summary>
internal sealed class RolesAnywherePlane(AwsAccount account)
{
    private const int PageSize = 2;

    public (string Name, Operation Act) Find(string route)
    {
        var parts = route.Split(' ', '/').Where(p => p.Length > 0).ToArray();
        return parts switch
        {
            ["GET", "trustanchors"] => ("rolesanywhere:ListTrustAnchors", (_, r) => Page(r, "trustAnchors", account.Anchors.Values.OrderBy(a => a.Id, StringComparer.Ordinal).Select(Json))),
            ["POST", "trustanchors"] => ("rolesanywhere:CreateTrustAnchor", (b, _) => CreateAnchor(b)),
            ["GET", "trustanchor", var id] => ("rolesanywhere:GetTrustAnchor", (_, _) => (200, One("trustAnchor", Json(Anchor(id))))),
            ["PATCH", "trustanchor", var id] => ("rolesanywhere:UpdateTrustAnchor", (b, _) => UpdateAnchor(Anchor(id), b)),
            ["POST", "trustanchor", var id, "enable"] => ("rolesanywhere:EnableTrustAnchor", (_, _) => Set(Anchor(id), a => a.Enabled = true, a => One("trustAnchor", Json(a)))),
            ["GET", "profiles"] => ("rolesanywhere:ListProfiles", (_, r) => Page(r, "profiles", account.Profiles.Values.OrderBy(p => p.Id, StringComparer.Ordinal).Select(Json))),
            ["POST", "profiles"] => ("rolesanywhere:CreateProfile", (b, _) => CreateProfile(b)),
            ["GET", "profile", var id] => ("rolesanywhere:GetProfile", (_, _) => (200, One("profile", Json(Profile(id))))),
            ["PATCH", "profile", var id] => ("rolesanywhere:UpdateProfile", (b, _) => Set(Profile(id), p => Fill(p, b), p => One("profile", Json(p)))),
            ["POST", "profile", var id, "enable"] => ("rolesanywhere:EnableProfile", (_, _) => Set(Profile(id), p => p.Enabled = true, p => One("profile", Json(p)))),
            ["GET", "crls"] => ("rolesanywhere:ListCrls", (_, r) => Page(r, "crls", account.Crls.Values.OrderBy(c => c.Id, StringComparer.Ordinal).Select(Json))),
            ["POST", "crls"] => ("rolesanywhere:ImportCrl", (b, _) => ImportCrl(b)),
            ["PATCH", "crl", var id] => ("rolesanywhere:UpdateCrl", (b, _) => UpdateCrl(Crl(id), b)),
            ["POST", "crl", var id, "enable"] => ("rolesanywhere:EnableCrl", (_, _) => Set(Crl(id), c => c.Enabled = true, c => One("crl", Json(c)))),
            ["DELETE", "crl", var id] => ("rolesanywhere:DeleteCrl", (_, _) => Set(Crl(id), c => account.Crls.TryRemove(c.Id, out DoubleCrl? _), c => One("crl", Json(c)))),
            ["GET", "subjects"] => ("rolesanywhere:ListSubjects", (_, r) => Page(r, "subjects", account.Subjects.Values.OrderBy(s => s.Id, StringComparer.Ordinal).Select(Summary))),
            ["GET", "subject", var id] => ("rolesanywhere:GetSubject", (_, _) => (200, One("subject", Detail(account.Subjects.Values.FirstOrDefault(s => s.Id == id) ?? throw AwsRefusal.Missing("Subject not found"))))),
            _ => throw AwsRefusal.Missing($"no route {route}"),
        };
    }

    private (int, JsonObject) CreateAnchor(JsonObject body)
    {
        var id = AwsAccount.NewId();
        var anchor = new DoubleAnchor { Id = id, Arn = $"arn:aws:rolesanywhere:{account.Region}:{account.Id}:trust-anchor/{id}", Name = Text(body, "name"), Enabled = body["enabled"]?.GetValue<bool>() ?? false, Pem = Bundle(body["source"]) };
        if (account.Anchors.Count >= 50)
            throw AwsRefusal.Invalid("50 trust anchors are the most");
        account.Anchors[id] = anchor;
        return (201, One("trustAnchor", Json(anchor)));
    }

    private (int, JsonObject) UpdateAnchor(DoubleAnchor anchor, JsonObject body)
    {
        if (body["source"] is { } source)
            anchor.Pem = Bundle(source);
        if (body["name"] is { } name)
            anchor.Name = name.GetValue<string>();
        return (200, One("trustAnchor", Json(anchor)));
    }

    // At most two, each an authority (https://docs.aws.amazon.com/rolesanywhere/latest/userguide/trust-model.html).
    private static string Bundle(JsonNode? source)
    {
        if (source?["sourceType"]?.GetValue<string>() != "CERTIFICATE_BUNDLE" || source["sourceData"]?["x509CertificateData"]?.GetValue<string>() is not { Length: <= 204800 } pem)
            throw AwsRefusal.Invalid("source is to be a CERTIFICATE_BUNDLE with x509CertificateData");
        var certificates = new X509Certificate2Collection();
        certificates.ImportFromPem(pem);
        if (certificates.Count is 0 or > 2)
            throw AwsRefusal.Invalid("one or two certificates");
        foreach (var certificate in certificates)
        {
            if (certificate.Extensions.OfType<X509BasicConstraintsExtension>().FirstOrDefault() is not { CertificateAuthority: true }
                || certificate.Extensions.OfType<X509KeyUsageExtension>().FirstOrDefault()?.KeyUsages.HasFlag(X509KeyUsageFlags.KeyCertSign) != true)
                throw AwsRefusal.Invalid("a certificate is not of an authority");
        }
        return pem;
    }

    private (int, JsonObject) CreateProfile(JsonObject body)
    {
        var id = AwsAccount.NewId();
        var profile = new DoubleProfile { Id = id, Arn = $"arn:aws:rolesanywhere:{account.Region}:{account.Id}:profile/{id}", Name = Text(body, "name"), Enabled = body["enabled"]?.GetValue<bool>() ?? false };
        Fill(profile, body);
        account.Profiles[id] = profile;
        return (201, One("profile", Json(profile)));
    }

    private static void Fill(DoubleProfile profile, JsonObject body)
    {
        if (body["roleArns"] is JsonArray roles)
            profile.RoleArns = [.. roles.Select(r => r!.GetValue<string>())];
        if (body["acceptRoleSessionName"] is { } accepts)
            profile.AcceptRoleSessionName = accepts.GetValue<bool>();
        if (body["durationSeconds"] is { } duration)
            profile.DurationSeconds = duration.GetValue<int>() is >= 900 and <= 43200 and var seconds ? seconds : throw AwsRefusal.Invalid("durationSeconds");
    }

    private (int, JsonObject) ImportCrl(JsonObject body)
    {
        var arn = Text(body, "trustAnchorArn");
        var anchor = account.Anchors.Values.FirstOrDefault(a => a.Arn == arn) ?? throw AwsRefusal.Missing("Trust anchor not found");
        if (account.Crls.Values.Count(c => c.AnchorArn == arn) >= 2)
            throw AwsRefusal.Invalid("two CRLs are the most a trust anchor has");
        var crl = new DoubleCrl { Id = AwsAccount.NewId(), Name = Text(body, "name"), AnchorArn = arn, Enabled = body["enabled"]?.GetValue<bool>() ?? false, Pem = Checked(anchor, body) };
        account.Crls[crl.Id] = crl;
        return (201, One("crl", Json(crl)));
    }

    private (int, JsonObject) UpdateCrl(DoubleCrl crl, JsonObject body)
    {
        crl.Pem = Checked(account.Anchors.Values.First(a => a.Arn == crl.AnchorArn), body);
        return (200, One("crl", Json(crl)));
    }

    private static byte[] Checked(DoubleAnchor anchor, JsonObject body)
    {
        var pem = Convert.FromBase64String(Text(body, "crlData"));
        var list = RevocationList.Read(pem);
        var trusted = new X509Certificate2Collection();
        trusted.ImportFromPem(anchor.Pem);
        return trusted.Any(list.IsSignedBy) ? pem : throw AwsRefusal.Invalid("the CRL is not signed by the trust anchor");
    }

    private DoubleAnchor Anchor(string id) => account.Anchors.GetValueOrDefault(id) ?? throw AwsRefusal.Missing("Trust anchor not found");

    private DoubleProfile Profile(string id) => account.Profiles.GetValueOrDefault(id) ?? throw AwsRefusal.Missing("Profile not found");

    private DoubleCrl Crl(string id) => account.Crls.GetValueOrDefault(id) ?? throw AwsRefusal.Missing("CRL not found");

    private static (int, JsonObject) Set<T>(T item, Action<T> change, Func<T, JsonObject> answer)
    {
        change(item);
        return (200, answer(item));
    }

    // Small pages: whoever reads the first alone is found out.
    private static (int, JsonObject) Page(SignedRequest request, string name, IEnumerable<JsonObject> items)
    {
        var all = items.ToList();
        var from = int.Parse(request.Parameter("nextToken") ?? "0", CultureInfo.InvariantCulture);
        var page = new JsonObject { [name] = new JsonArray([.. all.Skip(from).Take(PageSize)]) };
        if (from + PageSize < all.Count)
            page["nextToken"] = (from + PageSize).ToString(CultureInfo.InvariantCulture);
        return (200, page);
    }

    private static JsonObject One(string name, JsonObject item) => new() { [name] = item };

    private static JsonObject Json(DoubleAnchor anchor) => new()
    {
        ["trustAnchorId"] = anchor.Id, ["trustAnchorArn"] = anchor.Arn, ["name"] = anchor.Name, ["enabled"] = anchor.Enabled,
        ["source"] = new JsonObject { ["sourceType"] = "CERTIFICATE_BUNDLE", ["sourceData"] = new JsonObject { ["x509CertificateData"] = anchor.Pem } },
    };

    private static JsonObject Json(DoubleProfile profile) => new()
    {
        ["profileId"] = profile.Id, ["profileArn"] = profile.Arn, ["name"] = profile.Name, ["enabled"] = profile.Enabled, ["acceptRoleSessionName"] = profile.AcceptRoleSessionName,
        ["durationSeconds"] = profile.DurationSeconds, ["roleArns"] = new JsonArray([.. profile.RoleArns.Select(r => (JsonNode)r)]), ["sessionPolicy"] = profile.SessionPolicy, ["managedPolicyArns"] = new JsonArray(),
    };

    private static JsonObject Json(DoubleCrl crl) => new()
    {
        ["crlId"] = crl.Id, ["crlArn"] = $"arn:aws:rolesanywhere:::crl/{crl.Id}", ["name"] = crl.Name, ["enabled"] = crl.Enabled, ["trustAnchorArn"] = crl.AnchorArn, ["crlData"] = Convert.ToBase64String(crl.Pem),
    };

    private static JsonObject Summary(DoubleSubject subject) => new()
    {
        ["subjectId"] = subject.Id, ["subjectArn"] = $"arn:aws:rolesanywhere:::subject/{subject.Id}", ["enabled"] = true, ["x509Subject"] = $"CN={subject.Name}", ["lastSeenAt"] = Time(subject.LastSeenAt),
    };

    private static JsonObject Detail(DoubleSubject subject)
    {
        var detail = Summary(subject);
        detail["credentials"] = new JsonArray([.. subject.Credentials.Select(c => (JsonNode)new JsonObject
        {
            ["serialNumber"] = c.Key, ["seenAt"] = Time(c.Value.SeenAt), ["failed"] = c.Value.Failed, ["enabled"] = true,
        })]);
        return detail;
    }

    private static string Time(DateTimeOffset at) => at.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    private static string Text(JsonObject body, string name) => body[name]?.GetValue<string>() is { Length: > 0 } text ? text : throw AwsRefusal.Invalid($"{name} is missing");
}
