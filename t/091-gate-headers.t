#!/usr/bin/perl
# scim_header replaces fields of a request and leaves the others as they are, wherever in the request they stand, and however
# many there are; also fields that nginx itself knows.

use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Scim;
use Scim::Gate;

my $app = Scim::Gate::application('http');
my $pass = "proxy_pass http://127.0.0.1:$app->{port};";
my $t = Scim->new(http => <<"EOH", server => <<"EOS");
    scim_store main %%DIR%%/store size=64m;
    underscores_in_headers on;
    ignore_invalid_headers off;
    large_client_header_buffers 8 32k;
    proxy_headers_hash_max_size 1024;
EOH
    location /scim/v2/ { scim main; }
    scim_subject \$http_x_remote_user tenant=acme trusted;
    scim_require active;
    # removes and adds one, or several
    location /one/ { scim_header X-User \$scim_user_name; $pass }
    location /none/ { scim_header X-User ""; $pass }
    location /many/ {
        scim_header X-User \$scim_user_name; scim_header X-Id "id"; scim_header X-Mail ""; scim_header X-Groups "g";
        scim_header X-Roles "r"; scim_header X-Name "n"; $pass
    }
    location /known/ {
        scim_header Authorization "Bearer x"; scim_header Cookie "a=b"; scim_header X-Forwarded-For "192.0.2.1";
        scim_header User-Agent "gate"; scim_header Referer ""; scim_header Accept-Language "en"; scim_header X-Real-IP ""; $pass
    }
    location /known-gone/ {
        scim_header Authorization ""; scim_header Cookie ""; scim_header X-Forwarded-For ""; scim_header User-Agent "";
        proxy_set_header X-Seen "\$http_authorization|\$http_cookie|\$cookie_a|\$http_x_forwarded_for|\$http_user_agent|\$proxy_add_x_forwarded_for|\$remote_user";
        $pass
    }
    location /known-seen/ {
        scim_header Authorization "Bearer x"; scim_header Cookie "a=b"; scim_header X-Forwarded-For "192.0.2.1"; scim_header User-Agent "gate";
        proxy_set_header X-Seen "\$http_authorization|\$http_cookie|\$cookie_a|\$http_x_forwarded_for|\$http_user_agent|\$proxy_add_x_forwarded_for";
        $pass
    }
    location /long/ { scim_header X-User "\$arg_a\$arg_a\$arg_a"; $pass }
EOS
my $gate = Scim::Gate->new($t);

# The fields that the application got, without those that nginx adds itself
sub fields {
    my ($path, @headers) = @_;
    my $r = $gate->ask($path, 'ada', @headers);
    return ["status $r->{status}"] if $r->{status} != 200;
    return [grep !/^(?:REQUEST|Host|Connection|BODY|X-Remote-User)=/, split /\n/, $r->{body}];
}
sub pairs { my @p; while (my ($n, $v) = splice @_, 0, 2) { push @p, "$n=$v" } return @p }
sub form { return lc $_[0] =~ s/[^A-Za-z0-9]/-/gr }

my %adds = (
    '/one/' => ['X-User' => 'ada'],
    '/none/' => ['X-User' => undef],
    '/many/' => ['X-User' => 'ada', 'X-Id' => 'id', 'X-Mail' => undef, 'X-Groups' => 'g', 'X-Roles' => 'r', 'X-Name' => 'n'],
    '/known/' => [Authorization => 'Bearer x', Cookie => 'a=b', 'X-Forwarded-For' => '192.0.2.1', 'User-Agent' => 'gate',
        Referer => undef, 'Accept-Language' => 'en', 'X-Real-IP' => undef],
);
# What the application must get: the client's fields in their order, without the replaced ones, then the added ones.
sub expected {
    my ($adds, @headers) = @_;
    my (%replaced, @left, @added);
    for (my @a = @$adds; my ($name, $value) = splice @a, 0, 2;) {
        $replaced{ form($name) } = 1;
        push @added, $name => $value if defined $value;
    }
    while (my ($name, $value) = splice @headers, 0, 2) { push @left, $name => $value if !$replaced{ form($name) } }
    return [pairs(@left, @added)];
}
sub is_replaced {
    my ($path, $name, @headers) = @_;
    local $Test::Builder::Level = $Test::Builder::Level + 1;
    return is_deeply fields($path, @headers), expected($adds{$path}, @headers), $name;
}

# --- places, in requests of one and of several parts of nginx's list (20 fields each)

sub others { return map { ("Other-$_" => $_) } $_[0] .. $_[1] }
for my $path ('/one/', '/none/') {
    my @x = ('X-User' => 'root');
    is_replaced $path, "$path: without the field";
    is_replaced $path, "$path: the only field", @x;
    is_replaced $path, "$path: the first field", @x, others(1, 3);
    is_replaced $path, "$path: a field in the middle", others(1, 3), @x, others(4, 6);
    is_replaced $path, "$path: the last field", others(1, 3), @x;
    is_replaced $path, "$path: first, middle and last", @x, others(1, 3), @x, others(4, 6), @x;
    is_replaced $path, "$path: several in a row", others(1, 3), (@x) x 5, others(4, 6);
    is_replaced $path, "$path: every spelling", map(($_ => 'root'), qw(X-User x-user X_User x_user X-USER X.User x!user x~USER)), others(1, 2);
    is_replaced $path, "$path: names that only look similar", map(($_ => 1), qw(X-Users X-Use XX-User X--User XUser User X-User- -X-User));
    is_replaced $path, "$path: all fields of the first part", (@x) x 18, others(1, 30);
    is_replaced $path, "$path: all fields of three parts", (@x) x 58;
    is_replaced $path, "$path: all fields of the last part", others(1, 38), (@x) x 10;
    is_replaced $path, "$path: all fields of a part in the middle", others(1, 18), (@x) x 20, others(19, 40);
    is_replaced $path, "$path: $_ other fields, then the field", others(1, $_), @x for 15 .. 22, 35 .. 42;
    is_replaced $path, "$path: the field, then $_ other fields", @x, others(1, $_) for 15 .. 22, 35 .. 42;
}

# --- any place, any number

my $seed = $ENV{TEST_SEED} // time;
srand $seed;
my @failed;
for my $round (1 .. 300) {
    my $path = (sort keys %adds)[rand keys %adds];
    my @names = map $adds{$path}[ 2 * $_ ], 0 .. @{ $adds{$path} } / 2 - 1;
    my ($count, $share, @headers) = (int(rand 2) ? int rand 12 : int rand 90, rand);
    # nginx refuses a request with some known fields twice
    my %once;
    for my $i (1 .. $count) {
        my $name = rand() < $share ? $names[rand @names] : 'Other-' . int rand 20;
        $name =~ tr/-/_/ if rand() < 0.3;
        $name = lc $name if rand() < 0.3;
        next if $path eq '/known/' && $name !~ /^(?:Other|X|cookie|accept)/i && $once{ lc $name }++;
        push @headers, $name => "v$i";
    }
    my ($got, $want) = (fields($path, @headers), expected($adds{$path}, @headers));
    next if "@$got" eq "@$want";
    push @failed, "$path: @{[pairs(@headers)]}\n got: @$got\nwant: @$want";
}
is scalar(@failed), 0, '300 random requests arrive as they should' or diag "TEST_SEED=$seed\n$failed[0]";

# --- fields that nginx knows

my @known = (Authorization => 'Basic YWRhOng=', Cookie => 'a=c', Cookie => 'd=e', 'X-Forwarded-For' => '198.51.100.1',
    'X-Forwarded-For' => '198.51.100.2', 'User-Agent' => 'Mozilla MSIE 6.0', Referer => 'http://example.com/', 'X-Real-IP' => '198.51.100.1');
is_replaced '/known/', 'known fields are replaced', @known;
sub seen { my ($seen) = grep /^X-Seen=/, @{ fields(@_) }; return $seen }
is seen('/known-gone/', @known), 'X-Seen=|||||127.0.0.1|', 'variables of known fields that are removed are empty';
is seen('/known-seen/', @known), 'X-Seen=Bearer x|a=b|b|192.0.2.1|gate|192.0.2.1, 127.0.0.1', 'variables of known fields are those of the added ones';
is seen('/known-seen/'), 'X-Seen=Bearer x|a=b|b|192.0.2.1|gate|192.0.2.1, 127.0.0.1', 'also if the client has sent none';

# --- values

my $long = 'x' x 3000;
is_deeply fields("/long/?a=$long", 'X-User' => 'root'), ["X-User=$long$long$long"], 'a value of 9000 bytes reaches the application';
is $gate->ask('/one/', 'ada', others(1, 400), 'X-User' => 'root')->{status}, 200, 'a request with 400 fields';
$t->finish;
