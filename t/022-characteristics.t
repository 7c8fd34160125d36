#!/usr/bin/perl
# The characteristics of attributes (RFC 7643 2.2 and 7) hold at every level: for attributes and sub-attributes, singular and
# multi-valued, simple and complex, of the schema of a resource type and of an extension.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Check;

my ($true, $false) = (JSON::PP::true, JSON::PP::false);
my ($core, $extension) = ('urn:acme:core:Thing', 'urn:acme:extension:Thing');

# --- schemas with each characteristic at each level

# The characteristics that are not default, by a name. $level gives the names of attributes: "part.manyNever" is the
# multi-valued sub-attribute of the complex attribute "part" with "returned": "never".
my %characteristic = (
    plain => {}, always => { returned => 'always' }, never => { returned => 'never' }, request => { returned => 'request' },
    readOnly => { mutability => 'readOnly' }, immutable => { mutability => 'immutable' },
    writeOnly => { mutability => 'writeOnly', returned => 'never' });
my @sub = ({ name => 'a' });
my @form = (['one', {}], ['many', { multiValued => $true }],
    ['object', { type => 'complex', subAttributes => \@sub }], ['list', { type => 'complex', multiValued => $true, subAttributes => \@sub }]);

# An attribute of the form for each characteristic.
sub attributes_of {
    my ($form, $more, @but) = @_;
    return map { my $c = $_; grep($_ eq $c, @but) ? () : { name => $form . ucfirst $c, %$more, %{ $characteristic{$c} } } } sort keys %characteristic;
}
my @simple = @form[0, 1];
my @attributes = ((map attributes_of(@$_), @form),
    { name => 'part', type => 'complex', subAttributes => [map attributes_of(@$_), @simple] },
    { name => 'element', type => 'complex', multiValued => $true, subAttributes => [{ name => 'key' }, map attributes_of(@$_), @simple] });

my $t = Scim->new(http => 'scim_store main %%DIR%%/store;' . join('', map " scim_schema %%DIR%%/$_.json;", qw(core extension type needs needsMore needsType typed typedMore typedType links linksType)),
    server => 'location /scim/v2/ { scim main; } location /rfc/ { scim main; scim_profile rfc; }');
sub file { my ($name, %content) = @_; return $t->write_file("$name.json", $Scim::json->encode(\%content)) }
file('core', id => $core, attributes => \@attributes);
file('extension', id => $extension, attributes => \@attributes);
file('type', name => 'Thing', endpoint => '/Things', schema => $core, schemaExtensions => [{ schema => $extension, required => $false }]);

# The same forms, required; and optional complex attributes with required sub-attributes.
my @required = map { { name => $_->[0], %{ $_->[1] }, required => $true } } @form;
push @required, map { { name => $_->[0], type => 'complex', %{ $_->[1] },
    subAttributes => [{ name => 'note' }, map { { name => $_->[0], %{ $_->[1] }, required => $true } } @simple] } } ['part', {}], ['element', { multiValued => $true }];
my ($needs, $more) = ('urn:acme:core:Need', 'urn:acme:extension:Need');
file('needs', id => $needs, attributes => \@required);
file('needsMore', id => $more, attributes => \@required);
file('needsType', name => 'Need', endpoint => '/Needs', schema => $needs, schemaExtensions => [{ schema => $more, required => $false }]);

# Each simple type and canonicalValues.
my %type = (string => [{}, 'x', 1], boolean => [{}, $true, 1], decimal => [{}, 1.5, 'x'], integer => [{}, 3, 1.5],
    dateTime => [{}, '2026-01-01T10:00:00+01:00', '2026-01-01'], binary => [{}, 'aGk=', 'a-b_'],
    reference => [{ referenceTypes => ['external'] }, '../Users/1', 1]);
my @typed = map { my $type = $_; map { { name => $_->[0] . ucfirst $type, type => $type, %{ $_->[1] }, %{ $type{$type}[0] }, $type eq 'string' ? (canonicalValues => ['b', 'a']) : () } } @simple } sort keys %type;
my ($typed, $typed_more) = ('urn:acme:core:Typed', 'urn:acme:extension:Typed');
file($_->[0], id => $_->[1], attributes => [@typed, map { { name => $_->[0], type => 'complex', %{ $_->[1] }, subAttributes => \@typed } } ['part', {}], ['element', { multiValued => $true }]])
    for ['typed', $typed], ['typedMore', $typed_more];
file('typedType', name => 'Typed', endpoint => '/Typed', schema => $typed, schemaExtensions => [{ schema => $typed_more, required => $false }]);

# References to users: of other servers, too, and to other servers only.
file('links', id => 'urn:acme:core:Link', attributes => [map { { name => $_->[0], type => 'complex', multiValued => $true, subAttributes => [{ name => 'value' },
    { name => '$ref', type => 'reference', referenceTypes => $_->[1] }] } } ['any', [qw(external User)]], ['own', ['User']], ['other', ['external']]]);
file('linksType', name => 'Link', endpoint => '/Links', schema => 'urn:acme:core:Link');

my $token = $t->seed('acme');
$t->start;
my $c = $t->client(token => $token);
my $base = '/scim/v2/Things';
$t->served($base, token => $token);

# --- paths and values

# All attributes but `part` and `element` themselves: [name in the body…] and the characteristic.
my @paths;
for my $urn (undef, $extension) {
    for my $name (map $_->{name}, @attributes) {
        my @names = $name =~ /^(?:part|element)$/ ? map([$name, $_->{name}], map attributes_of(@$_), @simple) : [$name];
        push @paths, map { { names => [$urn ? $urn : (), @$_], path => ($urn ? "$urn:" : '') . join('.', @$_),
            form => $_->[-1] =~ /^([a-z]+)/, is => lcfirst($_->[-1] =~ s/^[a-z]+//r), top => $_->[0] } } @names;
    }
}

# The value $text in the form of the path.
sub value_of { my ($p, $text) = @_; return { one => $text, many => [$text], object => { a => $text }, list => [{ a => $text }] }->{ $p->{form} } }

# A body in which the paths have the value $text.
sub body {
    my ($text, @some) = @_;
    my $body = { schemas => [$core, $extension] };
    for my $p (@some) {
        my $at = $body;
        my @names = @{ $p->{names} };
        while (@names > 1) {
            my $name = shift @names;
            $at = $name eq 'element' ? ($at->{element} //= [{ key => 'k' }])->[0] : ($at->{$name} //= {});
        }
        $at->{ $names[0] } = value_of($p, $text);
    }
    return $body;
}

# The paths that the resource has, each with its value: "part.oneAlways=x".
sub shown {
    my ($json) = @_;
    my @shown;
    for my $p (@paths) {
        my $at = $json;
        for my $name (@{ $p->{names} }) { $at = $name eq 'element' ? $at->{element}[0] : ref $at eq 'HASH' ? $at->{$name} : undef }
        $at = $at->[0] if ref $at eq 'ARRAY';
        $at = $at->{a} if ref $at eq 'HASH';
        push @shown, "$p->{path}=$at" if defined $at;
    }
    return \@shown;
}

# What shown() is to return: the paths with one of the characteristics, and those that $also is true for.
sub expected {
    my ($text, $characteristics, $also) = @_;
    return [map "$_->{path}=$text", grep { my $p = $_; $characteristics =~ /\b$p->{is}\b/ || $also && $also->($p) } @paths];
}

sub patch {
    my ($at, @operations) = @_;
    return $c->request(PATCH => $at, json => { schemas => ['urn:ietf:params:scim:api:messages:2.0:PatchOp'], Operations => \@operations });
}

# Checks each path with $code, which returns what is wrong with it; one test for all.
sub each_path {
    my ($name, $paths, $code) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    my @wrong = map { my $what = $code->($_); $what ? "$_->{path}: $what" : () } @$paths;
    return ok(!@wrong && @$paths, $name . ' (' . @$paths . ' attributes)') || diag join "\n", @wrong;
}
sub differs {
    my ($got, $want) = @_;
    my %n = map { $_ => 1 } @$got;
    $n{$_}-- for @$want;
    return join ' ', map { $n{$_} > 0 ? "more: $_" : $n{$_} < 0 ? "missing: $_" : () } sort keys %n;
}
sub with { my ($pattern) = @_; return [grep $_->{is} =~ /^(?:$pattern)$/, @paths] }

# --- returned

my $r = $c->request(POST => $base, json => body('x', @paths));
is $r->{status}, 201, 'POST with a value of each attribute is answered with 201' or diag $r->{body};
my $default = 'plain always immutable';
is_deeply shown($r->{json}), expected('x', "$default request"),
    '[S-24 S-25] POST returns what was sent, except "never", readOnly and writeOnly';
my $thing = "$base/$r->{json}{id}";
is_deeply shown($c->request(GET => $thing)->{json}), expected('x', $default), '[S-25] GET returns "default" and "always"';
is_deeply shown($c->request(GET => $base)->{json}{Resources}[0]), expected('x', $default), '[S-25] a list returns "default" and "always"';
is_deeply shown($c->request(GET => "$thing?attributes=id")->{json}), expected('x', 'always'),
    '[S-25 S-101] GET with attributes=id returns "always"';

sub asked {
    my ($parameter, $p) = @_;
    return shown($c->request(GET => "$thing?$parameter=$p->{path}")->{json});
}
my $visible = with('plain|always|request|immutable');
each_path '[S-25 S-101] GET with attributes=PATH returns the attribute and "always"', $visible, sub {
    my ($p) = @_;
    return differs(asked('attributes', $p), expected('x', 'always', sub { $_[0] == $p }));
};
each_path '[S-24 S-25 S-101] GET with attributes=PATH does not return "never", readOnly without a value, and writeOnly', with('never|readOnly|writeOnly'), sub {
    return differs(asked('attributes', $_[0]), expected('x', 'always'));
};
each_path '[S-25 S-102] GET with excludedAttributes=PATH leaves out the attribute', with('plain|immutable'), sub {
    my ($p) = @_;
    return differs(asked('excludedAttributes', $p), [grep $_ ne "$p->{path}=x", @{ expected('x', $default) }]);
};
each_path '[S-25 S-102] GET with excludedAttributes=PATH returns "always"', with('always'), sub {
    return differs(asked('excludedAttributes', $_[0]), expected('x', $default));
};
each_path '[S-25] PATCH of an attribute with "request" returns it, and no other one with "request"', with('request'), sub {
    my ($p) = @_;
    my $path = $p->{path} =~ s/(?<=\belement)(?=\.)/[key eq "k"]/r;
    return differs(shown(patch($thing, { op => 'replace', path => $path, value => value_of($p, 'y') })->{json}),
        [map { s/(?<=^\Q$p->{path}\E=)x/y/r } @{ expected('x', $default, sub { $_[0] == $p }) }]);
};
is_deeply shown($c->request(PUT => $thing, json => body('x', @paths))->{json}), expected('x', "$default request"),
    '[S-25] PUT returns what was sent, except "never", readOnly and writeOnly';
is_deeply shown($c->request(PUT => "$thing?attributes=id", json => body('x', @paths))->{json}), expected('x', 'always'),
    '[S-25 S-98] PUT with attributes=id returns "always"';

# --- readOnly

each_path '[S-24 S-127] PATCH of a readOnly attribute is refused with 400', with('readOnly'), sub {
    my ($p) = @_;
    my @wrong;
    for my $op (qw(add replace remove)) {
        my $r = patch($thing, { op => $op, path => $p->{path}, $op eq 'remove' ? () : (value => value_of($p, 'y')) });
        push @wrong, "$op: $r->{body}" if "$r->{status} $r->{json}{scimType}" ne '400 mutability' || $r->{json}{detail} !~ /\Q$p->{path}\E.* is readOnly/;
    }
    return "@wrong";
};

# --- immutable

# The path of a PATCH: parts of `element` are those of its element.
sub patch_path { my ($p) = @_; return $p->{path} =~ s/\belement\./element[key eq "k"]./r }
my $immutable = with('immutable');
my $etag = $c->request(GET => $thing)->{headers}{etag};
sub is_immutable {
    my ($p, $r) = @_;
    return "$r->{status} " . ($r->{json}{scimType} // '') eq '400 mutability' && $r->{json}{detail} =~ /\Q$p->{path}\E"? is immutable/ ? '' : "$r->{status} $r->{body}";
}
each_path '[S-24 S-107] PUT with another value of an immutable attribute is refused with 400', [grep $_->{top} ne 'element', @$immutable], sub {
    my ($p) = @_;
    return is_immutable($p, $c->request(PUT => $thing, json => body('y', $p)));
};
for my $op (qw(add replace remove)) {
    each_path "[S-24 S-131] PATCH with $op of an immutable attribute is refused with 400", $immutable, sub {
        my ($p) = @_;
        return is_immutable($p, patch($thing, { op => $op, path => patch_path($p), $op eq 'remove' ? () : (value => value_of($p, 'y')) }));
    };
}
each_path '[S-131] PATCH that replaces an immutable attribute with its value is answered with 200', $immutable, sub {
    my ($p) = @_;
    my $r = patch($thing, { op => 'replace', path => patch_path($p), value => value_of($p, 'x') });
    return $r->{status} == 200 && $r->{headers}{etag} eq $etag ? '' : "$r->{status} $r->{body}";
};
my $empty = $c->request(POST => $base, json => body('x', grep $_->{is} eq 'plain', @paths))->{json}{id};
each_path '[S-24 S-131] PATCH with add of an immutable attribute without a value sets it', $immutable, sub {
    my ($p) = @_;
    my $r = patch("$base/$empty", { op => 'add', path => patch_path($p), value => value_of($p, 'x') });
    return (grep $_ eq "$p->{path}=x", @{ shown($r->{json}) }) ? '' : "$r->{status} $r->{body}";
};

# --- what PUT keeps

$r = $c->request(PUT => $thing, json => { schemas => [$core] });
is_deeply shown($r->{json}), [grep !/element/, @{ expected('x', 'immutable') }],
    '[S-24 S-107] PUT of an empty resource keeps immutable values, and clears other values and elements';

# --- writeOnly

my $hidden = with('writeOnly|never');
each_path '[S-24] PATCH sets an attribute that is writeOnly or never returned', $hidden, sub {
    my ($p) = @_;
    my %etag;
    for my $text (qw(x y y)) {
        my $r = patch("$base/$empty", { op => 'replace', path => patch_path($p), value => value_of($p, $text) });
        return "$r->{status} $r->{body}" if $r->{status} != 200;
        $etag{ $r->{headers}{etag} } = 1;
    }
    return keys %etag == 2 ? '' : 'another value must change the version, the same value must not: ' . join ' ', sort keys %etag;
};
each_path '[S-24] a filter on an attribute that is writeOnly or never returned is refused with 400', $hidden, sub {
    my ($p) = @_;
    my $path = $p->{path} . ($p->{form} =~ /object|list/ ? '.a' : '');
    my $r = $c->request(GET => "$base?filter=$path%20eq%20%22x%22");
    return $r->{status} == 400 && $r->{json}{scimType} eq 'invalidFilter' ? '' : "$r->{status} $r->{body}";
};

# --- required

my $n = 0;
my %full = (one => 'x', many => ['x'], object => { a => 'x' }, list => [{ a => 'x' }]);
my %part = (note => 'n', one => 'x', many => ['x']);
sub need { my ($core_part, $extension_part) = @_; return { schemas => [$needs, $extension_part ? $more : ()], %$core_part, $extension_part ? ($more => $extension_part) : () } }
is $c->request(POST => '/scim/v2/Needs', json => need(\%full))->{status}, 201,
    '[S-21] POST without optional complex attributes and the optional extension, which have required attributes, is answered with 201';
$r = $c->request(POST => '/scim/v2/Needs', json => need(map { { %full, part => {%part}, element => [{%part}] } } 1, 2));
is $r->{status}, 201, '[S-21] POST with all required attributes is answered with 201' or diag $r->{body};
my $complete = "/scim/v2/Needs/$r->{json}{id}";
for my $urn ('', "$more:") {
    for my $path (sort keys %full, map { ("part.$_", "element.$_") } qw(one many)) {
        my ($top, $sub) = split /\./, $path;
        for my $absent ([], [undef], [[]], $path =~ /one/ ? [''] : ()) {
            my %body = (%full, part => {%part}, element => [{ %part, note => 'm' }, {%part}]);
            my $at = !$sub ? \%body : $top eq 'part' ? $body{part} : $body{element}[1];
            my $key = $sub // $top;
            delete $at->{$key};
            ($at->{$key}) = @$absent if @$absent && !(ref $absent->[0] && $key !~ /many|list/);
            my $body = $urn ? need(\%full, \%body) : need(\%body);
            my $with = @$absent ? $Scim::json->encode($absent->[0]) : 'nothing';
            is_error $c->request(@$_, json => $body), 400, 'invalidValue', qr/^"\Q$urn$path\E" is required and (?:has no value|must not be blank)/,
                "[S-21 S-60] $_->[0] with $with for the required $urn$path is refused with 400" for [POST => '/scim/v2/Needs'], [PUT => $complete];
        }
        is_error patch($complete, { op => 'remove', path => "$urn$path" }), 400, 'mutability', qr/\Q$urn$path\E" is required/,
            "[S-21 S-127] PATCH that removes the required $urn$path is refused with 400";
        is_error patch($complete, { op => 'replace', path => "$urn$path", value => undef }), 400, 'invalidValue', qr/\Q$urn$path\E" is required/,
            "[S-21] PATCH that replaces the required $urn$path with null is refused with 400";
    }
}

# --- types and canonicalValues

# A body with one value at a level: "one", "part.many", …
sub typed {
    my ($urn, $path, $value) = @_;
    my ($top, $sub) = split /\./, $path;
    $value = [$value] if $path =~ /many/;
    my $data = { $top => !$sub ? $value : $top eq 'part' ? { $sub => $value } : [{ $sub => $value }] };
    return { schemas => [$typed, $urn ? $typed_more : ()], $urn ? ($typed_more => $data) : %$data };
}
for my $type (sort keys %type) {
    my (undef, $good, $bad) = @{ $type{$type} };
    for my $urn ('', "$typed_more:") {
        for my $path (map { ("$_->[0]\u$type", "part.$_->[0]\u$type", "element.$_->[0]\u$type") } @simple) {
            my $body = typed($urn, $path, $good);
            my $r = $c->request(POST => '/scim/v2/Typed', json => $body);
            is_deeply [$r->{status}, @{ $r->{json} }{ grep $_ ne 'schemas', keys %$body }], [201, @$body{ grep $_ ne 'schemas', keys %$body }],
                "[S-6] $urn$path, of type $type, is returned as it was sent" or diag $r->{body};
            is_error $c->request(POST => '/scim/v2/Typed', json => typed($urn, $path, $bad)), 400, 'invalidValue', qr/\Q$urn\E(?:part|element)?/,
                "[S-6] " . $Scim::json->encode($bad) . " for $urn$path, of type $type, is refused with 400";
        }
    }
}
for my $urn ('', "$typed_more:") {
    for my $path (map { ("$_->[0]String", "part.$_->[0]String", "element.$_->[0]String") } @simple) {
        for my $value ('a', 'A', 'other') {
            my $body = typed($urn, $path, $value);
            my $r = $c->request(POST => '/scim/v2/Typed', json => $body);
            is_deeply [$r->{status}, @{ $r->{json} }{ grep $_ ne 'schemas', keys %$body }], [201, @$body{ grep $_ ne 'schemas', keys %$body }],
                "[S-22] canonicalValues of $urn$path are suggestions: '$value' is returned as it was sent" or diag $r->{body};
        }
    }
}
# --- $ref

my $user = $c->request(POST => '/scim/v2/Users', json => { userName => 'linked' })->{json};
my ($url, $sent) = ($user->{meta}{location}, 'https://old.example.com/Users/1');
my @sent = ({ value => $user->{id}, '$ref' => $sent }, { value => 'x', '$ref' => $sent }, { value => $user->{id} }, { value => 'y' });
my $link = $c->request(POST => '/scim/v2/Links', json => { map { $_ => [map { { %$_, value => "$_->{value}" } } @sent[0, 1, 3]] } qw(any own other) })->{json};
my $refs = sub { return { map { my $name = $_; $name => [map $_->{'$ref'}, @{ $_[0]{$name} }] } qw(any own other) } };
is_deeply $refs->($link), { any => [$url, $sent, undef], own => [$url, undef, undef], other => [$sent, $sent, undef] },
    'a $ref that was sent is returned as the URL of the resource; if there is none, only if it may be of another server';
is_deeply $refs->($c->request(GET => "/scim/v2/Links/$link->{id}")->{json}), $refs->($link), 'GET returns the same $ref as POST';
is_deeply [map $_->{'$ref'}, @{ $c->request(GET => "/scim/v2/Links/$link->{id}?attributes=own.\$ref")->{json}{own} }], [$url],
    'attributes with own.$ref returns the URL, and no element without one';
is $c->request(PUT => "/scim/v2/Links/$link->{id}", json => { any => [$sent[2]] })->{json}{any}[0]{'$ref'}, $url, 'a reference without $ref is returned with the URL';
$c->request(PUT => "/scim/v2/Links/$link->{id}", json => { map { $_ => [$sent[0]] } qw(any own other) });
$c->request(DELETE => "/scim/v2/Users/$user->{id}");
is_deeply $refs->($c->request(GET => "/scim/v2/Links/$link->{id}")->{json}), { any => [$sent], own => [undef], other => [$sent] },
    'after DELETE of the user only a $ref that may be of another server is returned';

my ($schema) = grep $_->{id} eq $typed, @{ $c->request(GET => '/scim/v2/Schemas')->{json}{Resources} };
is_deeply [map [$_->{type}, $_->{canonicalValues}], map { $_->{subAttributes} ? @{ $_->{subAttributes} } : $_ } @{ $schema->{attributes} }],
    [(map [$_->{type}, $_->{canonicalValues}], @typed) x 3], '[S-22] types and canonicalValues are published at every level, in their order';
for my $uri ('a b', 'http://x/<y>', '%zz', "http://x/\x{e9}") {
    my $body = typed('', 'oneReference', $uri);
    is $c->request(POST => '/scim/v2/Typed', json => $body)->{json}{oneReference}, $uri, '[L-invalid-uri] a reference that is no URI is stored as it is';
    is_error $c->request(POST => '/rfc/Typed', json => $body), 400, 'invalidValue', qr/"oneReference" must be a URI; ".*" has characters/,
        '[S-6 L-invalid-uri] with scim_profile rfc a reference that is no URI is refused with 400';
}
is $c->request(POST => '/rfc/Typed', json => typed('', 'oneReference', $_))->{status}, 201, "[S-6] with scim_profile rfc the reference '$_' is accepted"
    for '', 'urn:x:y', '../Users/1', 'https://[::1]:8080/a%20b?c=d#e', 'mailto:a@b.example', "data:image/png;base64,aGk=";
is $c->request(POST => '/rfc/Typed', json => typed('', 'oneBinary', 'aGk'))->{status}, 201, '[S-6] the padding of base64 may be missing';

$t->finish;
