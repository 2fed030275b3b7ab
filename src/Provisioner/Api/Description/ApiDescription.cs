using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;
using Provisioner.Appliance;
using Provisioner.Auth;
using Provisioner.Resources;

namespace Provisioner.Api.Description;

/// <summary>The description of the API by OpenAPI 3.1. Addresses and their parameters come from the endpoints, bodies from the shapes that read them.</summary>
internal static class ApiDescription
{
    public const string DocumentName = "v1";

    private const string Root = "/api/v1", Json = "application/json", EventStream = "text/event-stream", BearerScheme = "bearer", CookieScheme = "session";

    public static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        // Hosts have a protocol of their own, RFC 7030; pages are for people.
        options.ShouldInclude = described => ("/" + described.RelativePath).StartsWith(Root + "/", StringComparison.Ordinal) && ApiOperations.Find(described.HttpMethod ?? "", PathOf("/" + described.RelativePath)) is not null;
        options.AddDocumentTransformer((document, _, _) =>
        {
            Describe(document);
            return Task.CompletedTask;
        });
    }

    private static string PathOf(string path) => path.StartsWith(Root, StringComparison.Ordinal) ? path[Root.Length..] : path;

    private static string TagOf(string path) => path.Split('/')[1];

    private static void Describe(OpenApiDocument document)
    {
        document.Info = new OpenApiInfo
        {
            Title = "Provisioner",
            Version = ApplianceStatus.Version,
            Description = "Turns bare servers into EKS nodes. The same API is on the secure plane, with a token or a session, and on the appliance's unix socket.",
        };
        // Relative: by whatever name the appliance is reached.
        document.Servers = [new OpenApiServer { Url = "/" }];
        document.Components ??= new OpenApiComponents();
        document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>
        {
            [BearerScheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = "A program's token: provisioner token create." },
            [CookieScheme] = new OpenApiSecurityScheme { Type = SecuritySchemeType.ApiKey, In = ParameterLocation.Cookie, Name = "__Host-provisioner", Description = "A person's session, with X-CSRF-Token at each change." },
        };
        document.Components.Schemas = new Dictionary<string, IOpenApiSchema>();
        foreach (var (name, keys) in ApiSchemas.All)
            document.Components.Schemas[name] = Record(keys, document);
        foreach (var kind in ResourceKind.All)
            document.Components.Schemas[kind.Name] = Resource(kind, document);
        // By what they are about, and not by the class that answers.
        document.Tags = document.Paths.Keys.Select(path => TagOf(PathOf(path))).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(tag => new OpenApiTag { Name = tag }).ToHashSet();
        foreach (var (path, item) in document.Paths)
        {
            foreach (var (method, operation) in item.Operations ?? [])
                Describe(operation, method.Method, PathOf(path), document);
        }
    }

    private static void Describe(OpenApiOperation operation, string method, string path, OpenApiDocument document)
    {
        var about = ApiOperations.Find(method, path)!;
        var rule = AccessRules.Find(method, Root + path);
        operation.Summary = about.Summary;
        operation.OperationId = IdOf(method, path);
        operation.Description = rule?.Role is { } role ? $"Needs the role {Roles.Word(role)}." : "Needs no sign-in.";
        operation.Tags = new HashSet<OpenApiTagReference> { new(TagOf(path), document) };
        operation.Security = rule?.Role is null ? [new OpenApiSecurityRequirement()] :
        [
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(BearerScheme, document)] = [] },
            new OpenApiSecurityRequirement { [new OpenApiSecuritySchemeReference(CookieScheme, document)] = [] },
        ];
        operation.Parameters ??= [];
        foreach (var key in Keys(about.Query).Concat(about.Selects ? Selection.Parameters.Select(p => new Key(p, p == "limit" ? "integer" : "string", false)) : []))
            operation.Parameters.Add(new OpenApiParameter { Name = key.Name, In = ParameterLocation.Query, Schema = Type(key.Type, document) });
        if (about.Versioned)
        {
            operation.Parameters.Add(Header("If-Match", "The ETag the resource was read with: the change counts only when it is still that."));
            if (method == "PUT")
                operation.Parameters.Add(Header("If-None-Match", "*: only create."));
        }
        if (method == "POST" && about.Answer is not null)
            operation.Parameters.Add(Header(Idempotency.Header, "Sent again with the same key, the request is not done again; the first answer is given once more."));
        if (about.Streams && method == "GET")
            operation.Parameters.Add(Header("Last-Event-ID", "The last event that was read: the stream goes on after it."));
        operation.RequestBody = about.Body is { } body ? Content(Json, Object(body), about.Body.Any(f => f.Required))
            : about.BodyType is { } type ? Content(type, new OpenApiSchema { Type = JsonSchemaType.String }, true) : null;
        operation.Responses = Responses(about, rule?.Role is not null, document);
    }

    private static OpenApiResponses Responses(ApiOperation about, bool needsRole, OpenApiDocument document)
    {
        var content = new Dictionary<string, OpenApiMediaType>();
        if (about.Answer is { } answer && answer.Contains('/', StringComparison.Ordinal))
            content[answer] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        else if (about.Answer is { } schema)
            content[Json] = new OpenApiMediaType { Schema = schema.StartsWith("[]", StringComparison.Ordinal) ? List(schema[2..], about.Selects, document) : new OpenApiSchemaReference(schema, document) };
        if (about.Streams)
            content[EventStream] = new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Server-sent events, the data of each a JSON document." } };
        var done = new OpenApiResponse { Description = about.Status switch { 201 => "Made", 204 => "Done", _ => "Done, or found" }, Content = content.Count > 0 ? content : null };
        var responses = new OpenApiResponses { [$"{about.Status}"] = done };
        // A document that is put is made or changed.
        if (about is { Method: "PUT" })
            responses["201"] = new OpenApiResponse { Description = "Made", Content = content };
        foreach (var (status, why) in new (int, string)[] { (401, "Not signed in"), (403, "The role does not do"), (404, "Not there"), (409, "It contradicts what is there"), (412, "Changed meanwhile"), (422, "Wrong in itself"), (429, "Too many requests") })
        {
            var applies = status switch { 401 or 403 => needsRole || about.Method == "POST", 404 => about.Path.Contains('{', StringComparison.Ordinal), 409 => about.Method != "GET", 412 => about.Versioned, _ => true };
            if (applies)
                responses[$"{status}"] = Refused(why, document);
        }
        responses["default"] = Refused("It failed", document);
        return responses;
    }

    private static OpenApiResponse Refused(string why, OpenApiDocument document) => new()
    {
        Description = why,
        Content = new Dictionary<string, OpenApiMediaType> { [Problem.ContentType] = new() { Schema = new OpenApiSchemaReference("Problem", document) } },
    };

    private static OpenApiRequestBody Content(string type, IOpenApiSchema schema, bool required) => new()
    {
        Required = required,
        Content = new Dictionary<string, OpenApiMediaType> { [type] = new() { Schema = schema } },
    };

    private static OpenApiParameter Header(string name, string description) => new() { Name = name, In = ParameterLocation.Header, Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };

    private static OpenApiSchema List(string item, bool pages, OpenApiDocument document)
    {
        var list = new OpenApiSchema
        {
            Type = JsonSchemaType.Object,
            Required = new HashSet<string> { "items" },
            Properties = new Dictionary<string, IOpenApiSchema> { ["items"] = new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchemaReference(item, document) } },
        };
        if (pages)
        {
            list.Properties["total"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "How many match; with 'limit'." };
            list.Properties["continue"] = new OpenApiSchema { Type = JsonSchemaType.String, Description = "For the next page, when there is one." };
        }
        return list;
    }

    private static OpenApiSchema Resource(ResourceKind kind, OpenApiDocument document)
    {
        var schema = Object(kind.Fields);
        schema.Properties!["status"] = kind.Name switch
        {
            "Host" => new OpenApiSchemaReference("HostStatus", document),
            "Cluster" => new OpenApiSchemaReference("ClusterStatus", document),
            _ => new OpenApiSchema { Type = JsonSchemaType.Object, Description = "Written by the appliance." },
        };
        return schema;
    }

    private static OpenApiSchema Object(IReadOnlyList<FieldDescription> fields) => new()
    {
        Type = JsonSchemaType.Object,
        Required = fields.Where(f => f.Required).Select(f => f.Name).ToHashSet(StringComparer.Ordinal),
        Properties = fields.ToDictionary(f => f.Name, IOpenApiSchema (f) => Of(f), StringComparer.Ordinal),
    };

    private static OpenApiSchema Of(FieldDescription field)
    {
        var schema = field.Type switch
        {
            "object" when field.Fields.Count > 0 => Object(field.Fields),
            "object" => new OpenApiSchema { Type = JsonSchemaType.Object, AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.String } },
            "array" => new OpenApiSchema { Type = JsonSchemaType.Array, Items = field.Fields.Count > 0 ? Object(field.Fields) : new OpenApiSchema { Type = TypeOf(field.ItemType ?? "string") } },
            var simple => new OpenApiSchema { Type = TypeOf(simple) },
        };
        schema.Description = $"{field.Description} {char.ToUpperInvariant(field.Expected[0])}{field.Expected[1..]}.";
        return schema;
    }

    private static OpenApiSchema Record(string keys, OpenApiDocument document)
    {
        var all = Keys(keys).ToList();
        return new()
        {
            Type = JsonSchemaType.Object,
            Required = all.Where(k => k.Required).Select(k => k.Name).ToHashSet(StringComparer.Ordinal),
            Properties = all.ToDictionary(k => k.Name, k => Type(k.Type, document), StringComparer.Ordinal),
        };
    }

    private static IOpenApiSchema Type(string type, OpenApiDocument document) => type switch
    {
        ['[', ']', .. var item] => new OpenApiSchema { Type = JsonSchemaType.Array, Items = Type(item, document) },
        ['#', .. var name] => new OpenApiSchemaReference(name, document),
        "date-time" => new OpenApiSchema { Type = JsonSchemaType.String, Format = "date-time" },
        _ => new OpenApiSchema { Type = TypeOf(type) },
    };

    private static JsonSchemaType TypeOf(string word) => word switch
    {
        "integer" => JsonSchemaType.Integer,
        "number" => JsonSchemaType.Number,
        "boolean" => JsonSchemaType.Boolean,
        "object" => JsonSchemaType.Object,
        "array" => JsonSchemaType.Array,
        _ => JsonSchemaType.String,
    };

    private readonly record struct Key(string Name, string Type, bool Required);

    private static IEnumerable<Key> Keys(string text)
    {
        foreach (var word in text.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, required) = (word.TrimEnd('!'), word.EndsWith('!'));
            var colon = key.IndexOf(':', StringComparison.Ordinal);
            yield return colon < 0 ? new(key, "string", required) : new(key[..colon], key[(colon + 1)..], required);
        }
    }

    /// <summary>A name for generated clients: <c>getHostsByNameEvents</c>.</summary>
    private static string IdOf(string method, string path) => method.ToLowerInvariant() + string.Concat(path.Split(['/', '-'], StringSplitOptions.RemoveEmptyEntries)
        .Select(part => part.Trim('{', '}') is var word && part.StartsWith('{') ? $"By{char.ToUpperInvariant(word[0])}{word[1..]}" : $"{char.ToUpperInvariant(word[0])}{word[1..]}"));
}
